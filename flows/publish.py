"""Publish the best round of a run that has come to its end."""

from __future__ import annotations

from prefect import flow

from flows.state_watchdog import look_after, stay_cancelled
from flows.subflows import resume_parents
from tasks.publish import publish_best


@flow(
    name="publish",
    flow_run_name="publish {run_id}",
    persist_result=True,
    result_serializer="json",
    on_running=[look_after],
    on_crashed=[stay_cancelled],
    on_completion=[resume_parents],
)
def publish(run_id: str, home: str = ".metamapping") -> str:
    """The folder of the published encoder.

    Args:
        run_id: The run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        home: Folder of the store and the runs; the one of the run's configuration.
    """
    return publish_best(home, run_id)
