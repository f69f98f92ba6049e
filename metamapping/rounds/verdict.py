"""Convergence: what the rounds so far say, as a verdict with a sentence.

A round is compared, episode by episode, with the round to beat: the last one with a clear gain; at
first round 0, the untrained encoder. A gain smaller than its noise is no gain. The verdict is a fold
over the history, one transition for each round, ``progress, report → progress, finding``; so it
depends on nothing but the rounds so far. Why so: ``docs/decisions/judging.md``.

    verdict = judge(reports, config.convergence)
    verdict.state, verdict.sentence
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from metamapping.config.schema import ConvergenceSpec, TaskType
from metamapping.rounds.intervals import CONFIDENCE, Estimate
from metamapping.rounds.records import RoundReport, State, Verdict
from metamapping.rounds.statistics import paired_difference, round_accuracy


def judge(history: Sequence[RoundReport], spec: ConvergenceSpec) -> Verdict:
    """The verdict on the last round. ``history``: all rounds from 1 on, in order.

    In this order: CONVERGED when all targets are reached, or after ``patience`` rounds without a
    gain that neither rose nor diverged (not before ``min_rounds``); EXHAUSTED when ``max_rounds``
    are done or no further round fits into ``max_seconds``; then DIVERGED, IMPROVING or PLATEAUED.
    One of the first two comes at ``max_rounds`` at the latest, so a run always ends. Raises
    ``ValueError`` on a history with a gap or with rounds of different episodes.
    """
    _check(history)
    untrained = history[0].untrained()
    progress = Progress(to_beat=untrained, leading=untrained)
    for report in history:
        before = progress
        progress, finding = advance(before, report, spec)
    state, reason = _state(progress, finding, spec)
    gain = finding.gain
    return Verdict(
        state=state,
        best_round=progress.best.round,
        leading_round=progress.leading.round,
        sentence=f"{reason} {_best(progress, history[-1])}",
        compared_with=before.to_beat.round,
        gain=None if gain is None else gain.mean,
        gain_low=None if gain is None else gain.low,
        gain_high=None if gain is None else gain.high,
        diverged=bool(finding.trouble),
        fallen=finding.fallen,
    )


@dataclass(frozen=True)
class Progress:
    """What is known after some rounds."""

    to_beat: RoundReport  # the last clear gain
    leading: RoundReport  # the highest accuracy from then on
    num_rounds: int = 0
    without_gain: int = 0  # trained rounds since the last clear gain that neither rose nor diverged
    highest_loss: float = math.nan  # of any source, in the rounds that did not diverge
    seconds: float = 0.0
    last_seconds: float = 0.0

    @property
    def best(self) -> RoundReport:
        """The round to publish."""
        return self.leading if self.to_beat.round > 0 else self.to_beat


@dataclass(frozen=True)
class Finding:
    """What one round brought: its gain over the round to beat, and what went wrong, if anything."""

    gain: Estimate | None = None
    trouble: str = ""
    fallen: bool = False  # the trouble is a single source's


def advance(progress: Progress, report: RoundReport, spec: ConvergenceSpec) -> tuple[Progress, Finding]:
    """Take one more round into account. A round that diverged neither leads nor is it to beat."""
    finding = _find(progress, report, spec)
    seconds, is_trained = report.training.seconds, not report.training.averaged
    progress = replace(
        progress,
        num_rounds=progress.num_rounds + 1,
        seconds=progress.seconds + seconds,
        # A mean of rounds takes no time, and the one after it may be trained.
        last_seconds=seconds if is_trained else progress.last_seconds,
    )
    if finding.trouble:
        return progress, finding
    progress = replace(progress, highest_loss=_highest_loss(progress, report))
    if finding.gain is not None and finding.gain.is_gain:
        return replace(progress, to_beat=report, leading=report, without_gain=0), finding
    leads = paired_difference(report, progress.leading).mean > 0
    if leads:
        progress = replace(progress, leading=report)
    # What still rises has not converged, clear or not yet.
    rises = leads and finding.gain is not None and finding.gain.is_probable_gain
    return replace(progress, without_gain=progress.without_gain + (is_trained and not rises)), finding


def _find(progress: Progress, report: RoundReport, spec: ConvergenceSpec) -> Finding:
    scores = [score for cell in report.cells for score in cell.scores]
    if not all(math.isfinite(score) for score in scores):
        return Finding(trouble="its scores are not finite")
    gain = paired_difference(report, progress.to_beat, population=spec.population)
    loss, highest = report.training.loss, progress.highest_loss
    if not math.isfinite(loss):
        batch = report.training.bad_batch
        seen = f", and checkpoints/{batch} holds the batch that made it so" if batch else ""
        return Finding(gain, f"its training loss is {loss}{seen}")
    if loss > spec.max_loss_factor * highest:
        return Finding(
            gain,
            f"its training loss {loss:.3g} is more than {spec.max_loss_factor:g} times {highest:.3g}, "
            "the highest of any source in the rounds before",
        )
    below = paired_difference(report, report.untrained(), population=spec.population)
    if below.is_loss:
        return Finding(gain, f"it is {below.signed} against the untrained encoder")
    trouble = _fallen_source(report, progress.to_beat, gain, spec)
    return Finding(gain, trouble, fallen=bool(trouble))


def _fallen_source(report: RoundReport, to_beat: RoundReport, gain: Estimate, spec: ConvergenceSpec) -> str:
    """A source that has clearly fallen, in words; empty where there is none.

    Fallen is a source clearly below both its untrained baseline and the round to beat, in a round
    without a gain; in any round, a source below its baseline by clearly more than
    ``max_source_fall``. Every source is looked at, so each interval is at ``1 − 0.05 / num_sources``
    (Bonferroni).
    """
    confidence = 1 - (1 - CONFIDENCE) / len(report.sources)
    untrained = report.untrained()
    for source in report.sources:
        fall = paired_difference(report, untrained, source=source, confidence=confidence)
        is_too_deep = spec.max_source_fall is not None and fall.high < -spec.max_source_fall
        if not is_too_deep and (gain.is_gain or not fall.is_loss):
            continue
        change = paired_difference(report, to_beat, source=source, confidence=confidence)
        if is_too_deep or change.is_loss:
            return f"source {source!r} is {fall.signed} against the untrained encoder"
    return ""


def _state(progress: Progress, finding: Finding, spec: ConvergenceSpec) -> tuple[State, str]:
    now = f"Round {progress.num_rounds}"
    gain = finding.gain
    change = "" if gain is None else f" ({gain.signed})"
    if finding.trouble:
        found: tuple[State, str] = ("DIVERGED", f"{now} diverged: {finding.trouble}.")
    elif gain is not None and gain.is_gain:
        found = ("IMPROVING", f"{now} clearly gains{change} over the round to beat.")
    else:
        found = ("PLATEAUED", f"{now} brings no clear gain{change} over the round to beat.")
    if progress.num_rounds >= spec.min_rounds:
        if (reached := _reached(progress.to_beat, spec)) is not None:
            return "CONVERGED", f"{found[1]} {reached}"
        if progress.without_gain >= spec.patience and not finding.trouble:
            rounds = "1 round" if spec.patience == 1 else f"{progress.without_gain} rounds"
            return "CONVERGED", f"{found[1]} That makes {rounds} without a clear gain or a rise."
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


def _reached(to_beat: RoundReport, spec: ConvergenceSpec) -> str | None:
    """In words, that all targets are reached, by a clear gain; ``None`` where one is not.

    Not by the leading round: a lucky one of several would reach a target that is out of reach.
    """
    targets: list[tuple[TaskType | None, float]] = [*spec.task_targets.items()]
    if spec.target_accuracy is not None:
        targets.append((None, spec.target_accuracy))
    words = []
    for task_type, target in targets:
        accuracy = round_accuracy(to_beat, task_type=task_type).mean
        if accuracy < target:
            return None
        words.append(f"{task_type or 'accuracy'} {accuracy:.3f}, target {target:.3f}")
    return f"Reached: {'; '.join(words)}." if words else None


def _best(progress: Progress, last: RoundReport) -> str:
    best = progress.best
    if best.round == 0:
        return "No round has clearly beaten the untrained encoder: round 0 is the best."
    gain = paired_difference(best, best.untrained())
    which = "It" if best.round == last.round else f"Round {best.round}"
    accuracy = round_accuracy(best)
    return f"{which} is the best: {accuracy}, {gain.signed} over the untrained encoder."


def _highest_loss(progress: Progress, report: RoundReport) -> float:
    # Sources' losses, not the mean: more weight for a hard source is no explosion.
    losses = [progress.highest_loss, report.training.loss, *report.training.source_losses.values()]
    return max(loss for loss in losses if math.isfinite(loss))


def _check(history: Sequence[RoundReport]) -> None:
    if not history:
        raise ValueError("no rounds to judge: train and evaluate round 1 first")
    rounds = [report.round for report in history]
    if rounds != list(range(1, len(history) + 1)):
        raise ValueError(
            f"the history holds rounds {rounds}, expected 1 to {len(history)} in order: "
            "judge all rounds of one run from the first on"
        )
