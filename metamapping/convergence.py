"""Convergence: what the rounds so far say, as a verdict with a sentence.

A round is compared with the best one before it, episode by episode; round 0, the untrained encoder,
is the first best one. A gain smaller than its noise is no gain. The verdict is a fold over the
history: one transition for each round, ``progress, report → progress, finding``; so it depends on
nothing but the rounds so far.

    verdict = judge(reports, config.convergence)
    verdict.state, verdict.sentence
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict

from metamapping.config import ConvergenceSpec
from metamapping.intervals import CONFIDENCE, Estimate
from metamapping.reports import RoundReport, paired_difference, round_accuracy

State = Literal["CONVERGED", "IMPROVING", "PLATEAUED", "DIVERGED", "EXHAUSTED"]


class Verdict(BaseModel):
    """What the rounds so far say. ``gain``: of the last round over the best one before it."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    state: State
    best_round: int  # the last round that clearly beat the best before it; 0 is the untrained encoder
    sentence: str
    gain: float | None  # None where the round could not be measured
    gain_low: float | None = None
    gain_high: float | None = None
    diverged: bool = False  # the last round did, also where the state says EXHAUSTED

    @property
    def is_final(self) -> bool:
        """Whether the run is over."""
        return self.state in ("CONVERGED", "EXHAUSTED")


def judge(history: Sequence[RoundReport], spec: ConvergenceSpec) -> Verdict:
    """The verdict on the last round. ``history``: all rounds from 1 on, in order.

    In this order: CONVERGED when the best round reaches the target, or after ``patience`` rounds
    without a gain that did not diverge either (neither before ``min_rounds``); EXHAUSTED when
    ``max_rounds`` are done or no further round fits into ``max_seconds``; then DIVERGED, IMPROVING
    or PLATEAUED. One of the first two comes at ``max_rounds`` at the latest, so a run always ends.
    Raises ``ValueError`` on a history with a gap or with rounds of different episodes.
    """
    _check(history)
    progress = Progress(best=history[0].untrained())
    finding = Finding()
    for report in history:
        progress, finding = advance(progress, report, spec)
    state, reason = _state(progress, finding, spec)
    gain = finding.gain
    return Verdict(
        state=state,
        best_round=progress.best.round,
        sentence=f"{reason} {_best(progress, history[-1])}",
        gain=None if gain is None else gain.mean,
        gain_low=None if gain is None else gain.low,
        gain_high=None if gain is None else gain.high,
        diverged=bool(finding.trouble),
    )


@dataclass(frozen=True)
class Progress:
    """What is known after some rounds."""

    best: RoundReport
    num_rounds: int = 0
    without_gain: int = 0  # rounds since the best one that neither gained nor diverged
    loss_ceiling: float = math.inf  # the lowest so far of each round's highest source loss
    seconds: float = 0.0
    last_seconds: float = 0.0


@dataclass(frozen=True)
class Finding:
    """What one round brought: its gain over the best before it, and what went wrong, if anything."""

    gain: Estimate | None = None
    trouble: str = ""


def advance(progress: Progress, report: RoundReport, spec: ConvergenceSpec) -> tuple[Progress, Finding]:
    """Take one more round into account. A round that diverged never becomes the best."""
    finding = _find(progress, report, spec)
    seconds = report.training.seconds
    progress = replace(
        progress,
        num_rounds=progress.num_rounds + 1,
        loss_ceiling=min(progress.loss_ceiling, _highest_loss(report)),
        seconds=progress.seconds + seconds,
        last_seconds=seconds,
    )
    if finding.trouble:
        return progress, finding
    if finding.gain is not None and finding.gain.is_gain:
        return replace(progress, best=report, without_gain=0), finding
    return replace(progress, without_gain=progress.without_gain + 1), finding


def _find(progress: Progress, report: RoundReport, spec: ConvergenceSpec) -> Finding:
    scores = [score for cell in report.cells for score in cell.scores]
    if not all(math.isfinite(score) for score in scores):
        return Finding(trouble="its scores are not finite")
    gain = paired_difference(report, progress.best, population=spec.population)
    loss, ceiling = report.training.loss, progress.loss_ceiling
    if not math.isfinite(loss):
        return Finding(gain, f"its training loss is {loss}")
    if loss > spec.max_loss_factor * ceiling:
        return Finding(
            gain,
            f"its training loss {loss:.3g} is more than {spec.max_loss_factor:g} times {ceiling:.3g}, "
            "which no source exceeded in an earlier round",
        )
    below = paired_difference(report, report.untrained(), population=spec.population)
    if below.is_loss:
        return Finding(gain, f"it is {_signed(below)} against the untrained encoder")
    if not gain.is_gain:
        fallen = _fallen_source(report, progress.best)
        if fallen:
            return Finding(gain, fallen)
    return Finding(gain)


def _fallen_source(report: RoundReport, best: RoundReport) -> str:
    """A source clearly below both its untrained baseline and the best round, in words.

    Every source is looked at, so each one's interval is at ``1 − 0.05 / num_sources`` (Bonferroni).
    """
    confidence = 1 - (1 - CONFIDENCE) / len(report.sources)
    untrained = report.untrained()
    for source in report.sources:
        fall = paired_difference(report, untrained, source=source, confidence=confidence)
        if not fall.is_loss:
            continue
        if paired_difference(report, best, source=source, confidence=confidence).is_loss:
            return f"source {source!r} is {_signed(fall)} against the untrained encoder"
    return ""


def _state(progress: Progress, finding: Finding, spec: ConvergenceSpec) -> tuple[State, str]:
    now = f"Round {progress.num_rounds}"
    gain = finding.gain
    if finding.trouble:
        found: tuple[State, str] = ("DIVERGED", f"{now} diverged: {finding.trouble}.")
    elif gain is not None and gain.is_gain:
        found = ("IMPROVING", f"{now} gains {_signed(gain)} over the best round before it.")
    else:
        change = "" if gain is None else f": {_signed(gain)} against the best round before it"
        found = ("PLATEAUED", f"{now} brings no clear gain{change}.")
    if progress.num_rounds >= spec.min_rounds:
        if (reached := _reached(progress.best, spec)) is not None:
            return "CONVERGED", f"{found[1]} {reached}"
        if progress.without_gain >= spec.patience and not finding.trouble:
            rounds = "1 round" if spec.patience == 1 else f"{progress.without_gain} rounds"
            return "CONVERGED", f"{found[1]} That makes {rounds} without a clear gain."
    if progress.num_rounds >= spec.max_rounds:
        return "EXHAUSTED", f"{found[1]} All {spec.max_rounds} rounds are used."
    if spec.max_seconds is not None:
        left = spec.max_seconds - progress.seconds
        if left < progress.last_seconds or left <= 0:
            return "EXHAUSTED", (
                f"{found[1]} Another {progress.last_seconds:.0f} seconds of training do not fit into "
                f"the {max(left, 0):.0f} that are left of {spec.max_seconds:.0f}."
            )
    return found


def _reached(best: RoundReport, spec: ConvergenceSpec) -> str | None:
    """In words, that the best round reaches all targets there are; ``None`` where it does not."""
    words = []
    if spec.target_accuracy is not None:
        accuracy = round_accuracy(best).mean
        if accuracy < spec.target_accuracy:
            return None
        words.append(f"accuracy {accuracy:.3f} of {spec.target_accuracy:.3f}")
    return f"The target is reached: {', '.join(words)}." if words else None


def _best(progress: Progress, last: RoundReport) -> str:
    best = progress.best
    if best.round == 0:
        return "No round has clearly beaten the untrained encoder: round 0 is the best."
    gain = paired_difference(best, best.untrained())
    which = "it" if best.round == last.round else f"round {best.round}"
    return f"The best is {which}: {round_accuracy(best)}, {_signed(gain)} over the untrained encoder."


def _highest_loss(report: RoundReport) -> float:
    losses = [report.training.loss, *report.training.source_losses.values()]
    return max(losses) if all(math.isfinite(loss) for loss in losses) else math.inf


def _check(history: Sequence[RoundReport]) -> None:
    if not history:
        raise ValueError("no rounds to judge: train and evaluate round 1 first")
    rounds = [report.round for report in history]
    if rounds != list(range(1, len(history) + 1)):
        raise ValueError(
            f"the history holds rounds {rounds}, expected 1 to {len(history)} in order: "
            "judge all rounds of one run from the first on"
        )


def _signed(estimate: Estimate) -> str:
    return f"{estimate.mean:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"
