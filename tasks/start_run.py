"""The task that starts a new run of a configuration, as a deployment."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from metamapping.errors import ConfigError
from metamapping.runs.folder import RunFolder
from tasks.progress import say

DEPLOYMENT = "meta-pretraining/meta-pretraining"


@task(task_run_name="start {run_id} again", cache_policy=NO_CACHE)
def start_run(home: str, run_id: str, reason: str) -> str:
    """Start the configuration of a run again, with the rows that its sources have now.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the run.
        reason: Why, for the log.

    Returns:
        Name of the flow run that was started; it is not waited for.

    Raises:
        ConfigError: There is no such run, or no deployment to start.
    """
    config = RunFolder(home, run_id).config
    try:
        started = run_deployment(
            DEPLOYMENT, parameters={"config": config.model_dump(mode="json")}, timeout=0, tags=["drift"]
        )
    except ObjectNotFound as error:
        raise ConfigError(
            f"the server has no deployment {DEPLOYMENT}: register it with `make deploy`, or start the run by "
            "hand"
        ) from error
    assert isinstance(started, FlowRun), "run_deployment is only asynchronous within an event loop"
    say(f"started {started.name} from the configuration of {run_id}: {reason}")
    return started.name
