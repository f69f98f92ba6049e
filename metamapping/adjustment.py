"""Adjustment: what changes before the next round, as a list of (field, old, new, why).

Pure functions of history and configuration: the same rounds give the same adjustments, and every
value stays within the bounds of ``AdjustmentSpec``. A ``Round`` is one line of ``rounds.jsonl``.

    adjustments = adjust(history, report, verdict, training_of(config.training, history), spec)
    history = [*history, Round(report=report, verdict=verdict, adjustments=adjustments)]
    training_of(config.training, history), start_round(history)       # of the next round
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from metamapping.config import AdjustmentSpec, TrainingSpec
from metamapping.convergence import Verdict
from metamapping.reports import RoundReport

START = "start_from_round"
SOURCE_WEIGHT = "source_weights."  # followed by the source's name

# A source lags when it kept this much more of its first loss than the median source did.
LAG = 1.05


class Adjustment(BaseModel):
    """One change. ``field``: of ``TrainingSpec``, ``source_weights.<source>`` or START."""

    model_config = ConfigDict(frozen=True)

    field: str
    old: int | float | str | None
    new: int | float | str | None
    why: str

    def __str__(self) -> str:
        return f"{self.field} {_shown(self.old)} → {_shown(self.new)} ({self.why})"


class Round(BaseModel):
    """One judged round: a line of ``rounds.jsonl``. A loss of NaN is written as ``"NaN"``."""

    model_config = ConfigDict(frozen=True)

    report: RoundReport
    verdict: Verdict
    adjustments: list[Adjustment] = []


def adjust(
    history: Sequence[Round],
    report: RoundReport,
    verdict: Verdict,
    training: TrainingSpec,
    spec: AdjustmentSpec,
) -> list[Adjustment]:
    """What changes after ``report``, which was trained with ``training`` and judged ``verdict``.

    ``history``: the rounds before it. IMPROVING goes on unchanged; PLATEAUED and DIVERGED go back to
    the best checkpoint, with a lower learning rate and more weight for the sources that lag. Nothing
    when the run is over.
    """
    if verdict.state not in ("PLATEAUED", "DIVERGED"):
        return []
    why = "it diverged" if verdict.state == "DIVERGED" else "no clear gain"
    adjustments = []
    if verdict.best_round != report.round:
        adjustments.append(
            Adjustment(field=START, old=report.round, new=verdict.best_round, why=f"{why}: back to the best")
        )
    return [
        *adjustments,
        *_lower_learning_rate(training, spec, why),
        *_favour_lagging([*(r.report for r in history if not r.verdict.diverged), report], training, spec),
    ]


def apply_adjustments(training: TrainingSpec, adjustments: Sequence[Adjustment]) -> TrainingSpec:
    """``training`` with the changes made. START concerns the checkpoint, and is passed over.

    Raises ``ValueError`` on a field that ``TrainingSpec`` does not have, or a value it refuses.
    """
    values = training.model_dump()
    for adjustment in adjustments:
        if adjustment.field == START:
            continue
        if adjustment.field.startswith(SOURCE_WEIGHT):
            source = adjustment.field.removeprefix(SOURCE_WEIGHT)
            values["source_weights"] = {**values["source_weights"], source: adjustment.new}
        elif adjustment.field in values:
            values[adjustment.field] = adjustment.new
        else:
            raise ValueError(
                f"adjustment of {adjustment.field!r}: the training has no such field; "
                f"known: {START}, {SOURCE_WEIGHT}<source>, {', '.join(sorted(values))}"
            )
    return TrainingSpec.model_validate(values)


def training_of(training: TrainingSpec, history: Sequence[Round]) -> TrainingSpec:
    """The training of the round after ``history``: the configured one with all adjustments so far."""
    for judged in history:
        training = apply_adjustments(training, judged.adjustments)
    return training


def start_round(history: Sequence[Round]) -> int:
    """The round from whose checkpoint the next one starts: the last, unless it was told to go back."""
    if not history:
        return 0
    for adjustment in history[-1].adjustments:
        if adjustment.field == START and isinstance(adjustment.new, int):
            return adjustment.new
    return history[-1].report.round


def _lower_learning_rate(training: TrainingSpec, spec: AdjustmentSpec, why: str) -> list[Adjustment]:
    old = training.learning_rate
    # A rate configured below the bound stays where it is: the loop never raises it.
    new = min(old, max(old * spec.learning_rate_factor, spec.min_learning_rate))
    if new == old:
        return []
    return [Adjustment(field="learning_rate", old=old, new=new, why=f"{why}: smaller steps")]


def _favour_lagging(
    reports: Sequence[RoundReport], training: TrainingSpec, spec: AdjustmentSpec
) -> list[Adjustment]:
    """More weight for the sources whose loss has fallen least since they were first trained on.

    Levels of loss cannot be compared between sources (twelve ways start at ln 12, two at ln 2), so
    each is divided by the source's own first one.
    """
    remaining = remaining_losses(reports)
    if not remaining:
        return []
    median = float(np.median(list(remaining.values())))
    adjustments = []
    for source, share in remaining.items():
        old = training.source_weights.get(source, 1.0)
        new = min(old * spec.source_weight_factor, max(old, spec.max_source_weight))
        if share > LAG * median and new > old:
            why = f"it lags: {share:.0%} of its first loss is left, {median:.0%} in the median source"
            adjustments.append(Adjustment(field=SOURCE_WEIGHT + source, old=old, new=new, why=why))
    return adjustments


def remaining_losses(reports: Sequence[RoundReport]) -> dict[str, float]:
    """For each train source its last finite loss over its first one; needs two such rounds of it."""
    seen: dict[str, list[float]] = {}
    for report in reports:
        for source, loss in report.training.source_losses.items():
            if math.isfinite(loss) and loss > 0:
                seen.setdefault(source, []).append(loss)
    return {source: losses[-1] / losses[0] for source, losses in seen.items() if len(losses) > 1}


def _shown(value: int | float | str | None) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
