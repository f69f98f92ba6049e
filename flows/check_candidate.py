"""The flow that compares a published run with the one in production."""

from __future__ import annotations

from typing import Any, cast

from prefect import runtime
from prefect.states import Completed

from flows.outcomes import NOT_PROMOTED, PROPOSED
from flows.stage_flow import stage_flow
from tasks.promotion import compare_with_production


@stage_flow("check-candidate", "check {run_id}")
def check_candidate(run_id: str, home: str = ".metamapping") -> dict[str, Any]:
    """Compare a published run with the one in production, by the rules of its configuration.

    The final state is Proposed when the rules allow the promotion, and NotPromoted when they do not; its
    message is the reason. Nothing is promoted here.

    Args:
        run_id: ID of the run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    decision = compare_with_production(home, run_id, f"Prefect run {runtime.flow_run.name}")
    name = PROPOSED if decision["is_allowed"] else NOT_PROMOTED
    message = f"{run_id}: {decision['sentence']}"
    return cast(dict[str, Any], Completed(name=name, message=message, data=decision))
