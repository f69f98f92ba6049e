"""Reports: what a round measured, as plain values, and the tables people read.

A ``RoundReport`` holds the score of every evaluation episode, so that two rounds can be compared
episode by episode. Pure: no TensorFlow, no disk.

    paired_difference(report, report.untrained()).is_gain
    print(source_shots_markdown(report))

A loss that is not finite stands in JSON as the text ``"NaN"``, which any JSON reader takes and
which pydantic reads back as the number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from metamapping.config.schema import TaskType

State = Literal["CONVERGED", "IMPROVING", "PLATEAUED", "DIVERGED", "EXHAUSTED"]
Value = int | float | str | None


class CellScores(BaseModel):
    """The scores of one held-out source at one number of shots.

    Attributes:
        scores: For each episode, in a fixed order, accuracy (for ``ner`` entity micro-F1), 0 to 1.
        ways: Labels of an episode; 0 in files that do not say.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    source: str
    task_type: TaskType
    shots: int
    scores: list[float]
    ways: int = 0


class Cell(CellScores):
    """The scores of one cell beside the untrained encoder's.

    Attributes:
        baseline: The untrained encoder's scores on the same episodes.
    """

    baseline: list[float]


class TrainingReport(BaseModel):
    """What the meta-steps of a round looked like.

    A round that is a mean of others has no steps, no losses of its sources, and as its loss the mean
    of theirs. ``agreements``: of each source's gradient with those of the others, a cosine.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    meta_steps: int
    seconds: float
    learning_rate: float
    loss: float  # mean query loss of the round's last quarter; NaN where training diverged
    source_losses: dict[str, float]  # mean query loss of each source over the round
    source_weights: dict[str, float]
    averaged: list[int] = []  # the rounds whose mean it is
    shares: list[float] = []  # of each of them in the mean
    agreements: dict[str, float] = {}
    frozen_layers: int = 0  # of the encoder, which another round could train
    bad_batch: str = ""  # folder beside the checkpoints with the batch whose loss was not finite


class RoundReport(BaseModel):
    """One round: training and the episodes of the validation sources."""

    model_config = ConfigDict(frozen=True)

    round: int  # from 1; 0 is the untrained encoder
    checkpoint: str
    training: TrainingReport
    cells: list[Cell]

    @property
    def sources(self) -> list[str]:
        """The held-out sources, in order of first appearance."""
        return list(dict.fromkeys(cell.source for cell in self.cells))

    def untrained(self) -> RoundReport:
        """Round 0: the untrained encoder on the same episodes."""
        cells = [cell.model_copy(update={"scores": cell.baseline}) for cell in self.cells]
        return self.model_copy(update={"round": 0, "cells": cells})


def training_of_mean(reports: Sequence[RoundReport], shares: Mapping[int, float]) -> TrainingReport:
    """What the training report says of a round that is a mean of rounds' weights.

    ``reports``: of all rounds from 1 on. ``shares``: of the rounds in the mean, 0 the untrained encoder.
    """
    averaged = [reports[number - 1].training for number in shares if number > 0]
    return averaged[-1].model_copy(
        update={
            "meta_steps": 0,
            "seconds": 0.0,
            "loss": float(np.mean([training.loss for training in averaged])),
            "source_losses": {},
            "averaged": list(shares),
            "shares": list(shares.values()),
            "agreements": {},
        }
    )


class Verdict(BaseModel):
    """What the rounds so far say.

    ``gain``: of the last round over ``compared_with``, the round it had to beat; ``None`` where its
    scores could not be measured. ``leading_round``: the highest accuracy since the last clear gain,
    clear or not. ``best_round``: the one to publish, which is the leading one as soon as some round
    has clearly beaten the untrained encoder, and until then 0.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    state: State
    best_round: int
    leading_round: int
    sentence: str
    compared_with: int
    gain: float | None
    gain_low: float | None = None
    gain_high: float | None = None
    diverged: bool = False  # the last round did, also where the state says EXHAUSTED
    fallen: bool = False  # it did for a single source that fell, while the mean did not

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self.state in ("CONVERGED", "EXHAUSTED")


class Adjustment(BaseModel):
    """One change. ``field``: of ``Settings.values``, or START or AVERAGE, which concern the next
    round alone.

    ``move``: the move it belongs to; empty for what only clears the ground for it.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    old: Value
    new: Value
    why: str
    move: str = ""

    def __str__(self) -> str:
        return f"{self.field} {_shown(self.old)} → {_shown(self.new)} ({self.why})"


class Round(BaseModel):
    """One judged round: a line of ``rounds.jsonl``. A loss of NaN is written as ``"NaN"``."""

    model_config = ConfigDict(frozen=True)

    report: RoundReport
    verdict: Verdict
    adjustments: list[Adjustment] = []

    @property
    def move(self) -> str:
        """The move that the next round tries; empty where it goes on unchanged."""
        return next((a.move for a in self.adjustments if a.move), "")


def _shown(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
