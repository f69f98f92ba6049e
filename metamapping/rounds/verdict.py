"""The verdict: whether a run improves, has converged or should stop, with an explanation in one sentence.

Input: the reports of all rounds so far. Output: a ``Verdict`` on the last of them. A round is compared,
episode by episode, with the reference round: the last round with a clear gain, at first round 0, the encoder
before meta-training. A gain within its noise does not count. The verdict is a fold over the history with one
transition per round, ``standing, report → standing, outcome``, so it depends only on the rounds so far. The
reasons and measurements are in ``docs/experiments/judging.md``.

    verdict = judge(reports, config.convergence)
    verdict.state, verdict.sentence
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from metamapping.config.rounds import ConvergenceSpec
from metamapping.config.sources import TaskType
from metamapping.rounds.intervals import CONFIDENCE, Estimate
from metamapping.rounds.metrics import score_name
from metamapping.rounds.records import RoundReport, State, Verdict
from metamapping.rounds.statistics import paired_difference, round_accuracy
from metamapping.rounds.wording import BEFORE, round_name


def judge(history: Sequence[RoundReport], spec: ConvergenceSpec) -> Verdict:
    """Judge the last round of a history.

    The first state that applies is taken: CONVERGED when all targets are reached, or after ``patience``
    rounds that brought neither a clear nor a probable gain and did not diverge, but not before
    ``min_rounds``; EXHAUSTED when ``max_rounds`` are done or another round does not fit into ``max_seconds``;
    then DIVERGED, IMPROVING or PLATEAUED. A run always ends, with one of the first two, after ``max_rounds``
    at the latest.

    Args:
        history: The reports of all rounds, from round 1 on, in order.
        spec: Targets, patience and limits.

    Returns:
        The verdict on the last round.

    Raises:
        ValueError: If the history is empty, has gaps or contains rounds measured on different episodes.
    """
    _check(history)
    untrained = history[0].untrained()
    standing = Standing(reference=untrained, best=untrained)
    for report in history:
        before = standing
        standing, outcome = advance(before, report, spec)
    state, reason = _state(standing, outcome, spec, before.reference)
    gain = outcome.gain
    return Verdict(
        state=state,
        best_round=standing.publishable.round,
        leading_round=standing.best.round,
        sentence=f"{reason} {_describe_best(standing, history[-1])}",
        compared_with=before.reference.round,
        gain=None if gain is None else gain.mean,
        gain_low=None if gain is None else gain.low,
        gain_high=None if gain is None else gain.high,
        diverged=outcome.has_diverged,
        fallen=outcome.is_single_source,
    )


@dataclass(frozen=True)
class Standing:
    """The state of a run after some of its rounds.

    Attributes:
        reference: The last round with a clear gain, with which the next round is compared.
        best: The current best: the highest accuracy from the reference round on.
        num_rounds: Number of rounds so far.
        num_stale_rounds: Trained rounds since the last clear gain that brought no probable gain and did not
            diverge.
        highest_loss: Highest training loss of any source in the rounds that did not diverge; NaN before the
            first.
        seconds: Training time of all rounds.
        last_seconds: Training time of the last trained round.
    """

    reference: RoundReport
    best: RoundReport
    num_rounds: int = 0
    num_stale_rounds: int = 0
    highest_loss: float = math.nan
    seconds: float = 0.0
    last_seconds: float = 0.0

    @property
    def publishable(self) -> RoundReport:
        """The current best, or round 0 as long as no round has clearly beaten it."""
        return self.best if self.reference.round > 0 else self.reference


@dataclass(frozen=True)
class Outcome:
    """The result of one round.

    Attributes:
        gain: The gain over the reference round; ``None`` where scores are not finite.
        divergence: Why the round counts as diverged, in words; empty where it does not.
        is_single_source: Whether it diverged only because a single source regressed.
    """

    gain: Estimate | None = None
    divergence: str = ""
    is_single_source: bool = False

    @property
    def has_diverged(self) -> bool:
        """Whether the round counts as diverged."""
        return bool(self.divergence)


def advance(standing: Standing, report: RoundReport, spec: ConvergenceSpec) -> tuple[Standing, Outcome]:
    """Take one more round into account.

    Args:
        standing: The state of the run before the round.
        report: The round's report.
        spec: Targets, patience and limits.

    Returns:
        The state of the run after the round, and the round's result. A round that diverged becomes neither
        the current best nor the reference round.
    """
    outcome = _outcome(standing, report, spec)
    seconds, is_trained = report.training.seconds, not report.training.averaged
    standing = replace(
        standing,
        num_rounds=standing.num_rounds + 1,
        seconds=standing.seconds + seconds,
        # A mean of rounds takes no time, but the next round may be trained.
        last_seconds=seconds if is_trained else standing.last_seconds,
    )
    if outcome.has_diverged:
        return standing, outcome
    standing = replace(standing, highest_loss=_highest_loss(standing, report))
    if outcome.gain is not None and outcome.gain.is_gain:
        return replace(standing, reference=report, best=report, num_stale_rounds=0), outcome
    is_best = paired_difference(report, standing.best).mean > 0
    if is_best:
        standing = replace(standing, best=report)
    # A run that still improves has not converged, although the gain is not clear yet.
    is_rising = is_best and outcome.gain is not None and outcome.gain.is_probable_gain
    num_stale_rounds = standing.num_stale_rounds + (is_trained and not is_rising)
    return replace(standing, num_stale_rounds=num_stale_rounds), outcome


def _outcome(standing: Standing, report: RoundReport, spec: ConvergenceSpec) -> Outcome:
    scores = [score for cell in report.cells for score in cell.scores]
    if not all(math.isfinite(score) for score in scores):
        return Outcome(divergence="its scores are not finite")
    gain = paired_difference(report, standing.reference, population=spec.population)
    loss, highest = report.training.loss, standing.highest_loss
    if not math.isfinite(loss):
        batch = report.training.bad_batch
        place = f" and checkpoints/{batch} holds the batch that caused it" if batch else ""
        return Outcome(gain, f"its training loss is {loss}{place}")
    if loss > spec.max_loss_factor * highest:
        return Outcome(
            gain,
            f"its training loss {loss:.3g} is more than {spec.max_loss_factor:g} times {highest:.3g}, "
            "the highest loss of any source in the rounds before",
        )
    over_untrained = paired_difference(report, report.untrained(), population=spec.population)
    if over_untrained.is_loss:
        return Outcome(gain, f"its {score_name(report)} is {over_untrained.signed} against {BEFORE}")
    regression = _describe_regression(report, standing.reference, gain, spec)
    return Outcome(gain, regression, is_single_source=bool(regression))


def _describe_regression(
    report: RoundReport, reference: RoundReport, gain: Estimate, spec: ConvergenceSpec
) -> str:
    """The first source that has clearly regressed, in words; empty where there is none.

    In a round without a clear gain, a source has regressed when it is clearly below both its untrained
    baseline and the reference round; in any round, when it is below its baseline by clearly more than
    ``max_source_fall``. All sources are tested, so each interval has the confidence ``1 − 0.05 /
    num_sources`` (Bonferroni).
    """
    confidence = _source_confidence(report)
    untrained = report.untrained()
    for source in report.sources:
        over_untrained = paired_difference(report, untrained, source=source, confidence=confidence)
        is_too_low = spec.max_source_fall is not None and over_untrained.high < -spec.max_source_fall
        if not is_too_low and (gain.is_gain or not over_untrained.is_loss):
            continue
        over_reference = paired_difference(report, reference, source=source, confidence=confidence)
        if is_too_low or over_reference.is_loss:
            return f"source {source!r} is {over_untrained.signed} against {BEFORE}"
    return ""


def _source_confidence(report: RoundReport) -> float:
    """The confidence of each source's interval, so that those of all sources hold together (Bonferroni)."""
    return 1 - (1 - CONFIDENCE) / len(report.sources)


def _state(
    standing: Standing, outcome: Outcome, spec: ConvergenceSpec, reference: RoundReport
) -> tuple[State, str]:
    state, sentence = _state_of_round(standing, outcome, reference)
    if standing.num_rounds >= spec.min_rounds:
        if (reached := _describe_targets(standing.reference, spec)) is not None:
            return "CONVERGED", f"{sentence} {reached}"
        if standing.num_stale_rounds >= spec.patience and not outcome.has_diverged:
            rounds = "1 round" if spec.patience == 1 else f"{standing.num_stale_rounds} rounds"
            return "CONVERGED", f"{sentence} That makes {rounds} without a clear or a probable gain."
    if standing.num_rounds >= spec.max_rounds:
        limit = "the only round" if spec.max_rounds == 1 else f"the last of {spec.max_rounds} rounds"
        return "EXHAUSTED", f"{sentence} It was {limit}."
    if spec.max_seconds is not None:
        left = spec.max_seconds - standing.seconds
        # The next round is expected to take as long as the last one that was trained.
        if left < standing.last_seconds or left <= 0:
            return "EXHAUSTED", (
                f"{sentence} Another {standing.last_seconds:.0f} seconds of training do not fit into "
                f"the {max(left, 0):.0f} that are left of {spec.max_seconds:.0f}."
            )
    return state, sentence


def _state_of_round(standing: Standing, outcome: Outcome, reference: RoundReport) -> tuple[State, str]:
    """The state and its sentence if only the last round is considered, and what it was compared with."""
    last, gain = f"Round {standing.num_rounds}", outcome.gain
    amount = "" if gain is None else f" ({gain.signed})"
    if outcome.has_diverged:
        return "DIVERGED", f"{last} diverged: {outcome.divergence}."
    if gain is not None and gain.is_gain:
        return "IMPROVING", f"{last} brings a clear gain{amount} over {round_name(reference.round)}."
    return "PLATEAUED", f"{last} brings no clear gain{amount} over {round_name(reference.round)}."


def _describe_targets(reference: RoundReport, spec: ConvergenceSpec) -> str | None:
    """A sentence where all targets are reached by a clear gain; ``None`` where one is not, or none is set.

    The current best does not count: by chance, the best of several rounds could appear to reach a target.
    """
    targets: list[tuple[TaskType | None, float]] = [*spec.task_targets.items()]
    if spec.target_accuracy is not None:
        targets.append((None, spec.target_accuracy))
    reached = []
    for task_type, target in targets:
        accuracy = round_accuracy(reference, task_type=task_type).mean
        if accuracy < target:
            return None
        reached.append(f"{task_type or score_name(reference)} {accuracy:.3f}, target {target:.3f}")
    return f"All targets are reached: {'; '.join(reached)}." if reached else None


def _describe_best(standing: Standing, last: RoundReport) -> str:
    """The round to publish as things stand, and what it gained."""
    best = standing.publishable
    if best.round == 0:
        return f"No round has clearly beaten {BEFORE}, so that one is to be published."
    gain = f"{paired_difference(best, best.untrained()).signed} over {BEFORE}"
    falls = _describe_falls(best)
    if best.round != last.round:
        return f"Round {best.round} is the best so far: {round_accuracy(best)}, {gain}.{falls}"
    if standing.reference.round == last.round:
        return f"It is the best so far: {round_accuracy(best)}, {gain}.{falls}"
    name = score_name(best)
    return f"Within that noise, its {name} {round_accuracy(best)} is the highest so far: {gain}.{falls}"


def _describe_falls(report: RoundReport) -> str:
    """A sentence that names all sources that are clearly below ``BEFORE``; empty without any."""
    confidence, untrained = _source_confidence(report), report.untrained()
    differences = {
        source: paired_difference(report, untrained, source=source, confidence=confidence)
        for source in report.sources
    }
    falls = [f"{source!r} {each.signed}" for source, each in differences.items() if each.is_loss]
    return f" It costs, against {BEFORE}: {', '.join(falls)}." if falls else ""


def _highest_loss(standing: Standing, report: RoundReport) -> float:
    # The losses of single sources count, not only the mean: the mean also rises when a hard source gets more
    # weight.
    losses = [standing.highest_loss, report.training.loss, *report.training.source_losses.values()]
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
