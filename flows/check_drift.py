"""The flow that tests whether the texts of a served task have changed, and proposes or starts a new run."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.run_names import name_run
from metamapping.errors import ConfigError
from tasks import check_drift as tasks
from tasks.start_run import start_run


@flow(
    name="check-drift",
    flow_run_name=name_run("drift of {name}"),
    persist_result=True,
    result_serializer="json",
)
def check_drift(
    folder: str,
    log: str,
    name: str,
    before: str | None = None,
    false_alarm_rate: Annotated[float, Field(gt=0, lt=1)] = 0.01,
    start: bool = False,
    run_id: str | None = None,
    home: str = ".metamapping",
) -> str:
    """Test a log of predictions for drift. The result is one sentence; a table is an artifact.

    Args:
        folder: Folder of the task, such as `.metamapping/tasks/orders`.
        log: The log that `metamapping serve --log` writes.
        name: Name of the task in the log.
        before: An earlier log to compare with. Default: the examples of the task.
        false_alarm_rate: Probability of an alarm if nothing has changed.
        start: Whether drift starts a new run; otherwise it is only proposed.
        run_id: ID of the run whose configuration is started again.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    if start and run_id is None:
        raise ConfigError("`start` is on, but there is no `run_id`: name the run that is to be started again")
    has_drifted, sentence = tasks.check_drift(
        folder, log, name, before=before, false_alarm_rate=false_alarm_rate
    )
    if not has_drifted:
        return sentence
    if start and run_id is not None:
        return f"{sentence}; started {start_run(home, run_id, sentence)}"
    return f"{sentence}; proposed: label new texts and run meta-pretraining again"
