"""Reports: what a round measured, as plain values.

A ``RoundReport`` holds the score of every evaluation episode, so that two rounds can be compared
episode by episode. Pure: no TensorFlow, no disk.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from metamapping.config import TaskType


class Cell(BaseModel):
    """The scores of one held-out source at one number of shots.

    ``scores``: for each episode, in a fixed order, accuracy (for ``ner`` entity micro-F1), 0 to 1.
    ``baseline``: the untrained encoder's scores on the same episodes.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    task_type: TaskType
    shots: int
    scores: list[float]
    baseline: list[float]


class TrainingReport(BaseModel):
    """What the meta-steps of a round looked like."""

    model_config = ConfigDict(frozen=True)

    meta_steps: int
    seconds: float
    learning_rate: float
    loss: float  # mean query loss of the round's last quarter; NaN where training diverged
    source_losses: dict[str, float]  # mean query loss of each source over the round
    source_weights: dict[str, float]


class RoundReport(BaseModel):
    """One round: training and the episodes of the validation sources."""

    model_config = ConfigDict(frozen=True)

    round: int  # from 1
    checkpoint: str
    training: TrainingReport
    cells: list[Cell]
