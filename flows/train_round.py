"""The flow that trains one round of a run."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from flows.stage_flow import stage_flow
from tasks.train import train


@stage_flow("train-round", "train {run_id} round {round}")
def train_round(
    run_id: str, round: Annotated[int, Field(ge=1)], home: str = ".metamapping"
) -> dict[str, Any]:
    """Train a round from the checkpoint that the history names; a finished round is not trained again.

    Args:
        run_id: ID of the run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        round: Number of the round to train; the rounds before it must be finished.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    return train(home, run_id, round)
