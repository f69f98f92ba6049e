"""Adjustment: what changes before the next round, as a list of (field, old, new, why).

Pure functions of history and configuration: the same rounds give the same adjustments, and every
value stays within the bounds of ``AdjustmentSpec``. A ``Round`` is one line of ``rounds.jsonl``.

    adjustments = adjust(history, report, verdict, training_of(config.training, history), spec)
    history = [*history, Round(report=report, verdict=verdict, adjustments=adjustments)]
    training_of(config.training, history), start_round(history)       # of the next round
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from metamapping.config import AdjustmentSpec, TrainingSpec
from metamapping.convergence import Verdict
from metamapping.intervals import ROUNDING
from metamapping.reports import RoundReport

START = "start_from_round"
SOURCE_WEIGHT = "source_weights."  # followed by the source's name

# A source lags when it kept this much more of its first loss than the median source did.
LAG = 1.05


class Adjustment(BaseModel):
    """One change. ``field``: of ``TrainingSpec``, ``source_weights.<source>`` or START.

    ``move``: the move it belongs to; empty for what only clears the ground for it.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    old: int | float | str | None
    new: int | float | str | None
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


def adjust(
    history: Sequence[Round],
    report: RoundReport,
    verdict: Verdict,
    training: TrainingSpec,
    spec: AdjustmentSpec,
) -> list[Adjustment]:
    """What changes after ``report``, which was trained with ``training`` and judged ``verdict``.

    ``history``: the rounds before it. IMPROVING goes on unchanged. PLATEAUED and DIVERGED go back to
    the leading checkpoint and to the source weights of the last clear gain, and try one move from
    there: the one that was tried longest ago, or never, since that gain. A gain that is probable but
    not clear yet is given another round unchanged. Nothing when the run is over, or with no moves.
    Why so: ``docs/decisions/adjusting.md``.
    """
    if verdict.state not in ("PLATEAUED", "DIVERGED") or not spec.moves:
        return []
    if verdict.state == "PLATEAUED" and _is_probable_gain(verdict, report):
        return []
    why = "it diverged" if verdict.diverged else "no clear gain"
    adjustments = []
    if verdict.leading_round != report.round:
        start = {"old": report.round, "new": verdict.leading_round}
        adjustments.append(Adjustment(field=START, why=f"{why}: back to the best", **start))
    rounds = [*history, Round(report=report, verdict=verdict)]
    proven = _proven_weights(rounds)
    move = _choose(list(_moves(rounds, proven, training, spec, why)), rounds)
    if move is None:
        return [*adjustments, *_weight_changes(training.source_weights, proven, Move(""))]
    return [
        *adjustments,
        *move.changes,
        *_weight_changes(training.source_weights, {**proven, **move.weights}, move),
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


@dataclass(frozen=True)
class Move:
    """One thing to try: changes of single fields, and of source weights with their reasons."""

    name: str
    changes: tuple[Adjustment, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def _moves(
    rounds: Sequence[Round],
    weights: Mapping[str, float],
    training: TrainingSpec,
    spec: AdjustmentSpec,
    why: str,
) -> Iterator[Move]:
    """The moves whose conditions hold, in the configured order.

    ``settle``: smaller steps, better aimed. Condition: the learning rate is above its bound, or a
    source lags. ``without``, one for each train source: trains with next to nothing of it; what the
    round then brings says whether the source harms. The most lagging one is first, as a source that
    lags either needs more, which ``settle`` tries, or is at odds with the others. Condition: two
    sources at least, and half of all, keep their weight.
    """
    remaining = remaining_losses([r.report for r in rounds if not r.verdict.diverged])
    kept = [source for source in remaining if weights.get(source, 1.0) > spec.min_source_weight]
    for name in spec.moves:
        if name == "settle":
            lagging = _lagging({source: remaining[source] for source in kept}, weights, spec)
            changes = _lower_learning_rate(training, spec, why)
            if changes or lagging.weights:
                yield replace(lagging, changes=changes)
        elif not rounds[-1].verdict.diverged and len(kept) - 1 >= max(2, len(remaining) / 2):
            for source in sorted(kept, key=lambda source: -remaining[source]):
                reason = f"{why}: does it harm? {remaining[source]:.0%} of its first loss is left"
                yield Move(
                    f"without {source}",
                    weights={source: spec.min_source_weight},
                    reasons={source: reason},
                )


def _choose(moves: Sequence[Move], rounds: Sequence[Round]) -> Move | None:
    """The move tried longest ago since the last clear gain; those never tried are first.

    After a divergence, the first one.
    """
    if not moves or rounds[-1].verdict.diverged:
        return moves[0] if moves else None
    gained = rounds[-1].verdict.compared_with
    last_tried = {r.move: r.report.round for r in rounds if r.report.round > gained}
    return min(moves, key=lambda move: last_tried.get(move.name, 0))


def _lower_learning_rate(training: TrainingSpec, spec: AdjustmentSpec, why: str) -> tuple[Adjustment, ...]:
    old = training.learning_rate
    # A rate configured below the bound stays where it is: the loop never raises it.
    new = min(old, max(old * spec.learning_rate_factor, spec.min_learning_rate))
    if new == old:
        return ()
    why = f"{why}: smaller steps"
    return (Adjustment(field="learning_rate", old=old, new=new, why=why, move="settle"),)


def _lagging(remaining: Mapping[str, float], weights: Mapping[str, float], spec: AdjustmentSpec) -> Move:
    """More weight for the sources whose loss has fallen least since they were first trained on.

    Levels of loss cannot be compared between sources (twelve ways start at ln 12, two at ln 2), so
    each is divided by the source's own first one. A source whose loss has risen is at odds with the
    others, and gets no more weight.
    """
    median = float(np.median(list(remaining.values()))) if remaining else 0.0
    more, reasons = {}, {}
    for source, share in remaining.items():
        old = weights.get(source, 1.0)
        new = min(old * spec.source_weight_factor, max(old, spec.max_source_weight))
        if LAG * median < share <= 1.0 and new > old:
            more[source] = new
            reasons[source] = (
                f"it lags: {share:.0%} of its first loss is left, {median:.0%} in the median source"
            )
    return Move("settle", weights=more, reasons=reasons)


def remaining_losses(reports: Sequence[RoundReport]) -> dict[str, float]:
    """For each train source its last finite loss over its first one; needs two such rounds of it."""
    seen: dict[str, list[float]] = {}
    for report in reports:
        for source, loss in report.training.source_losses.items():
            if math.isfinite(loss) and loss > 0:
                seen.setdefault(source, []).append(loss)
    return {source: losses[-1] / losses[0] for source, losses in seen.items() if len(losses) > 1}


def _is_probable_gain(verdict: Verdict, report: RoundReport) -> bool:
    """The mean lies more than half of its interval's lower arm above zero: five to one it is a gain."""
    if verdict.leading_round != report.round or verdict.gain is None or verdict.gain_low is None:
        return False
    return verdict.gain + verdict.gain_low > ROUNDING


def _proven_weights(rounds: Sequence[Round]) -> dict[str, float]:
    """The source weights that the last clear gain was trained with; before any, the configured."""
    gained = max(rounds[-1].verdict.compared_with, 1)
    return dict(rounds[gained - 1].report.training.source_weights)


def _weight_changes(old: Mapping[str, float], new: Mapping[str, float], move: Move) -> list[Adjustment]:
    """From the weights of this round to those of the next, a source at a time."""
    changes = []
    for source in sorted({*old, *new}):
        before, after = old.get(source, 1.0), new.get(source, 1.0)
        if before == after:
            continue
        tried = source in move.weights
        why = move.reasons[source] if tried else "the change brought no clear gain: taken back"
        name = move.name if tried else ""
        label = SOURCE_WEIGHT + source
        changes.append(Adjustment(field=label, old=before, new=after, why=why, move=name))
    return changes


def _shown(value: int | float | str | None) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
