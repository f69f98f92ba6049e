"""The flow that publishes the best round of a finished run."""

from __future__ import annotations

from flows.outcomes import published_state
from flows.stage_flow import stage_flow
from tasks.publish import publish_best


@stage_flow("publish", "publish {run_id}")
def publish(run_id: str, home: str = ".metamapping") -> str:
    """Publish the best round; the result is the folder or address of the published encoder.

    The final state says what was published: its name is NoImprovement when no round has clearly beaten the
    untrained encoder, which is published then.

    Args:
        run_id: ID of the run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    return published_state(home, run_id, publish_best(home, run_id))
