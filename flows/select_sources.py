"""The flow that selects the sources a run trains on."""

from __future__ import annotations

from typing import Any

from flows.stage_flow import stage_flow
from tasks.select import select


@stage_flow("select-sources", "select {run_id}")
def select_sources(run_id: str, home: str = ".metamapping") -> dict[str, Any]:
    """Select train sources: the result lists each with its similarity to the targets and the decision.

    Args:
        run_id: ID of the run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    return select(home, run_id)
