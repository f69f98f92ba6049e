"""Records: what is persisted about each round, as immutable values.

A ``Round`` is one line of a run's ``rounds.jsonl``. It holds the report, with the score of every evaluation
episode so that two rounds can be compared episode by episode, the verdict on it, and the adjustments for the
next round. The records need neither TensorFlow nor the disk. Their field names are a file format: lines that
were written earlier must stay readable.

JSON has no NaN: a number that is not finite is written as the text ``"NaN"``, which any JSON reader accepts
and which pydantic reads back as a number.

    judged = Round.model_validate_json(line)
    judged.verdict.state, [str(adjustment) for adjustment in judged.adjustments]
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from metamapping.config.sources import TaskType

State = Literal["CONVERGED", "IMPROVING", "PLATEAUED", "DIVERGED", "EXHAUSTED"]
Value = int | float | str | None

# Values of `Adjustment.field` that concern checkpoints instead of a setting.
START = "start_from_round"
AVERAGE = "average_of_rounds"


class CellScores(BaseModel):
    """The scores of one held-out source at one number of shots.

    Attributes:
        source: The source's name.
        task_type: The source's task type.
        shots: Support examples per label.
        scores: One score per episode, in a fixed order: accuracy, or entity micro-F1 for ``ner``, or macro-F1
            where texts have any number of labels; 0 to 1.
        ways: Labels per episode; 0 where they were not recorded, or where a text has any number of them.
        metric: The name of the scores; empty for accuracy, and for the entity F1 of ``ner``.
        measures: What else was measured: one number per episode, by the name of the measure.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    source: str
    task_type: TaskType
    shots: int
    scores: list[float]
    ways: int = 0
    metric: str = ""
    measures: dict[str, list[float]] = {}


class Cell(CellScores):
    """The scores of one cell next to those of the encoder before meta-training.

    Attributes:
        baseline: The scores of the encoder before meta-training on the same episodes.
        baseline_measures: Its other measures on the same episodes.
    """

    baseline: list[float]
    baseline_measures: dict[str, list[float]] = {}

    @classmethod
    def of(cls, after: CellScores, before: CellScores) -> Cell:
        """Put the scores of a round next to those of the encoder before meta-training.

        Args:
            after: The scores of the round.
            before: Those of the encoder before meta-training, on the same episodes.
        """
        return cls(**after.model_dump(), baseline=before.scores, baseline_measures=before.measures)


class TrainingReport(BaseModel):
    """What happened in the meta-steps of a round.

    A round whose weights are a mean of other rounds' weights has no steps and no losses per source, and its
    loss is the mean of theirs.

    Attributes:
        meta_steps: Number of meta-steps done.
        seconds: Training time.
        learning_rate: Learning rate of the encoder weights.
        loss: Mean query loss over the last quarter of the round; NaN where training diverged.
        source_losses: Mean query loss of each train source over the round.
        source_weights: Sampling weights of the train sources that differ from 1.
        averaged: The rounds whose weights were averaged; empty for a trained round.
        shares: The share of each of these rounds in the mean.
        agreements: Cosine similarity of each source's gradient with the sum of the other sources' gradients.
        frozen_layers: Layers of the encoder that are frozen and that a later round could train.
        bad_batch: Folder next to the checkpoints with the batch whose loss was not finite; empty without one.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    meta_steps: int
    seconds: float
    learning_rate: float
    loss: float
    source_losses: dict[str, float]
    source_weights: dict[str, float]
    averaged: list[int] = []
    shares: list[float] = []
    agreements: dict[str, float] = {}
    frozen_layers: int = 0
    bad_batch: str = ""


class RoundReport(BaseModel):
    """One round: its training and its scores on the validation sources.

    Attributes:
        round: Number of the round, from 1; round 0 is the encoder before meta-training.
        checkpoint: Name of the round's checkpoint.
        training: What happened in training.
        cells: The scores of each validation source at each number of shots.
    """

    model_config = ConfigDict(frozen=True)

    round: int
    checkpoint: str
    training: TrainingReport
    cells: list[Cell]

    @property
    def sources(self) -> list[str]:
        """The validation sources, in order of first appearance."""
        return list(dict.fromkeys(cell.source for cell in self.cells))

    def untrained(self) -> RoundReport:
        """Return round 0, the encoder before meta-training, on the same episodes."""
        cells = [
            cell.model_copy(update={"scores": cell.baseline, "measures": cell.baseline_measures})
            for cell in self.cells
        ]
        return self.model_copy(update={"round": 0, "cells": cells})


class Verdict(BaseModel):
    """What the rounds so far show, judged after the last of them.

    Attributes:
        state: The conclusion; CONVERGED and EXHAUSTED end the run.
        best_round: The round to publish: the current best as soon as some round has clearly beaten the
            encoder before meta-training, and 0 until then.
        leading_round: The current best: the highest accuracy since the last clear gain, whether its own gain
            is clear or not.
        sentence: The verdict in words.
        compared_with: The reference round, which is the last one with a clear gain.
        gain: Mean gain of the last round over the reference round; ``None`` where scores are not finite.
        gain_low: Lower end of the gain's 95 % interval.
        gain_high: Upper end of the gain's 95 % interval.
        diverged: Whether the last round diverged, also where the state is EXHAUSTED.
        fallen: Whether it counts as diverged because a single source regressed while the mean did not.
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
    diverged: bool = False
    fallen: bool = False

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self.state in ("CONVERGED", "EXHAUSTED")


class Adjustment(BaseModel):
    """One change before the next round.

    Attributes:
        field: Name of a setting (``AdjustableSettings.values``), or ``START`` or ``AVERAGE``.
        old: Value in the round just judged.
        new: Value in the next round; for ``AVERAGE`` the rounds and their shares as readable text.
        why: The reason in words.
        move: Name of the move that the change belongs to; empty for a change that only prepares for it.
        shares: For ``AVERAGE``, the share of each round in the mean of weights; empty otherwise.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    old: Value
    new: Value
    why: str
    move: str = ""
    shares: dict[int, float] = {}

    @model_validator(mode="before")
    @classmethod
    def _read_shares_from_text(cls, data: Any) -> Any:
        # Earlier versions wrote the shares only as the text in `new`.
        if isinstance(data, dict) and data.get("field") == AVERAGE and "shares" not in data:
            return {**data, "shares": _shares_in(str(data.get("new")))}
        return data

    def __str__(self) -> str:
        return f"{self.field} {formatted(self.old)} → {formatted(self.new)} ({self.why})"


class Round(BaseModel):
    """One judged round: a line of ``rounds.jsonl``.

    Attributes:
        report: What the round measured.
        verdict: What the rounds up to this one show.
        adjustments: What changes before the next round.
    """

    model_config = ConfigDict(frozen=True)

    report: RoundReport
    verdict: Verdict
    adjustments: list[Adjustment] = []

    @property
    def move(self) -> str:
        """The move that the next round tries; empty where the next round continues unchanged."""
        return next((a.move for a in self.adjustments if a.move), "")


def _shares_in(text: str) -> dict[int, float]:
    """Shares by round in ``"6, 7, 8"`` (equal shares) or ``"0 × -0.5, 8 × 1.5"``."""
    parts = [part.split("×") for part in text.split(",")]
    return {int(number): float(share[0]) if share else 1 / len(parts) for number, *share in parts}


def formatted(value: Value) -> str:
    """Format the value of a setting for people.

    Args:
        value: The value; floating-point numbers get three significant digits.
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)
