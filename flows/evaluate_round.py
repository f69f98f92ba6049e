"""The flow that evaluates one round of a run on the validation sources."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from flows.stage_flow import stage_flow
from tasks.evaluate import evaluate


@stage_flow("evaluate-round", "evaluate {run_id} round {round}")
def evaluate_round(
    run_id: str, round: Annotated[int, Field(ge=1)], home: str = ".metamapping"
) -> dict[str, Any]:
    """Evaluate a round: the report has its scores on fixed episodes next to those before meta-training.

    Args:
        run_id: ID of the run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        round: Number of a trained round.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    return evaluate(home, run_id, round)
