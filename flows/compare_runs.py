"""Compare two runs: what differed, and which is better on what."""

from __future__ import annotations

from prefect import flow

from tasks.compare import compare


@flow(
    name="compare-runs",
    flow_run_name="compare {first} and {second}",
    persist_result=True,
    result_serializer="json",
)
def compare_runs(first: str, second: str, home: str = ".metamapping") -> str:
    """The verdict in a sentence; the tables and a picture are its artifacts.

    Args:
        first: The run to compare with, as `meta-pretraining` named it.
        second: The run that is compared with it.
        home: Folder of the store and the runs; the one of the runs' configurations.
    """
    return compare(home, first, second)
