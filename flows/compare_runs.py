"""The flow that compares two runs: what differed, and which is better on which source."""

from __future__ import annotations

from prefect import flow

from flows.run_names import name_run
from tasks.compare import compare


@flow(
    name="compare-runs",
    flow_run_name=name_run("compare {first} and {second}"),
    persist_result=True,
    result_serializer="json",
)
def compare_runs(first: str, second: str, home: str = ".metamapping") -> str:
    """Compare two runs. The result is one sentence; tables and a plot are artifacts of the flow run.

    Args:
        first: ID of the run to compare with, as `meta-pretraining` named it.
        second: ID of the run that is compared with it.
        home: Folder of the store and the runs, as in the runs' configurations.
    """
    return compare(home, first, second)
