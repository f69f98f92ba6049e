"""The flow that judges one round of a run and adjusts the training of the next one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from flows.stage_flow import stage_flow
from tasks.adjust import judge_and_adjust


@stage_flow("adjust-round", "adjust {run_id} round {round}")
def adjust_round(
    run_id: str, round: Annotated[int, Field(ge=1)], home: str = ".metamapping"
) -> dict[str, Any]:
    """Judge a round: the verdict says whether to train another round, and why.

    Args:
        run_id: ID of the run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        round: Number of an evaluated round.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    return judge_and_adjust(home, run_id, round)
