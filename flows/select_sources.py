"""Select the sources that a run trains on."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.state_watchdog import look_after, stay_cancelled
from flows.subflows import resume_parents
from tasks.select import select


@flow(
    name="select-sources",
    flow_run_name="select {run_id}",
    persist_result=True,
    result_serializer="json",
    on_running=[look_after],
    on_crashed=[stay_cancelled],
    on_completion=[resume_parents],
)
def select_sources(run_id: str, home: str = ".metamapping") -> dict[str, Any]:
    """Every train source, with its closeness to the targets and whether it is trained on.

    Args:
        run_id: The run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        home: Folder of the store and the runs; the one of the run's configuration.
    """
    return select(home, run_id)
