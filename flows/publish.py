"""The flow that publishes the best round of a finished run."""

from __future__ import annotations

from flows.stage_flow import stage_flow
from tasks.publish import publish_best


@stage_flow("publish", "publish {run_id}")
def publish(run_id: str, home: str = ".metamapping") -> str:
    """Publish the best round and return the folder or address of the published encoder.

    Args:
        run_id: ID of the run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    return publish_best(home, run_id)
