"""Moves: what the loop can try after a round without a gain, each with its condition.

Input: the ``Evidence`` of the rounds so far. Output: the moves whose conditions hold, in the order in which
they should be tried. A move names new values of settings (``rounds.settings``) or rounds whose weights are
averaged; ``rounds.adjustment`` chooses one move and reverts what did not help. All functions are pure.

=============  ==========================================================  ===================================
move           condition                                                   effect
=============  ==========================================================  ===================================
``restore``    a single source regressed in a trained round                measures half, then ¼ of its change
``average``    two good rounds since the last clear gain, including it     measures the mean of their weights
``without``    two sources, and half of all, keep their weight             almost removes one source
``settle``     learning rate above its bound, or a source lags             lower rate, more of lagging sources
``regularise`` training losses fall, validation does not improve           weight decay × 10
``shots``      the fewest or the most shots are clearly weakest            halves or doubles ``max_shots``
``ways``       sources with few or with many labels are clearly weakest    halves or doubles ``max_ways``
``unfreeze``   training losses have stalled, layers are frozen             trains one more layer
``scale``      the current best is a trained round                         measures its change × 1.5 or × 0.5
=============  ==========================================================  ===================================

    moves = list(propose(evidence))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from metamapping.config.rounds import MoveName
from metamapping.rounds.evidence import Evidence, Move
from metamapping.rounds.next_round import NUM_AVERAGED
from metamapping.rounds.records import AVERAGE, Value
from metamapping.rounds.settings import (
    LEARNING_RATE,
    MAX_SHOTS,
    MAX_WAYS,
    SOURCE_WEIGHT,
    TRAINABLE_LAYERS,
    WEIGHT_DECAY,
)
from metamapping.rounds.statistics import (
    loss_change,
    mean_gradient_similarities,
    positive_shots,
    remaining_losses,
    ways_by_source,
    weakest_shots,
    weakest_ways,
)

# A source lags when it kept this many times as much of its first loss as the median source did.
LAG = 1.05
# Training losses fall where the median source lost more than 5 % of its loss from one round to the next; they
# have stalled where it lost less than 2 %.
FALLING, STALLED = 0.95, 0.98
# Gradients of unrelated sources are orthogonal up to noise; below this cosine they conflict.
CONFLICTING = -0.1
# 1.5 goes half as far again from the weights before meta-training as training went, 0.5 goes half as far.
SCALES = (1.5, 0.5)
# Shares of the change made by a round that cost a source too much. Half of it keeps most of what training
# gained (docs/experiments/limits.md); a quarter is closer still to what the encoder could do before.
RESTORED = (0.5, 0.25)
# AdamW subtracts `rate · decay` of a weight in each step. At a rate of 3e-5 the effect of anything below a
# tenfold change is lost in rounding.
WEIGHT_DECAY_FACTOR, LOWEST_RAISED_WEIGHT_DECAY = 10.0, 0.01


def propose(evidence: Evidence) -> Iterator[Move]:
    """Propose the moves whose conditions hold.

    After a divergence only ``settle`` is proposed, because the steps were too large. Where a single source
    regressed while the mean did not, nothing suggests that they were, so all moves are.

    Args:
        evidence: The rounds so far, and the settings and bounds for the next one.

    Yields:
        The moves in the configured order. Trials without a source whose gradients do not conflict with the
        others' come last of all.
    """
    verdict = evidence.last.verdict
    has_unstable_training = verdict.diverged and not verdict.fallen
    for name in evidence.spec.moves:
        if name == "settle" or not has_unstable_training:
            yield from MOVES[name](evidence)
    if "without" in evidence.spec.moves and not has_unstable_training:
        yield from _without_unsuspicious_sources(evidence)


def _restore(evidence: Evidence) -> Iterator[Move]:
    """Measure less of the change of a round in which a single source regressed, without training.

    Weights between those that training started from and those that it reached recover what it forgot, and
    keep most of what it gained (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    verdict, training = evidence.last.verdict, evidence.last.report.training
    base = verdict.leading_round
    if not verdict.fallen:
        return
    fallen, done = evidence.last.report.round, 1.0
    if training.averaged:
        # Only a round that this move has made is a step on the way back.
        if len(training.averaged) != 2 or training.averaged[0] != base or not 0 < training.shares[1] < 1:
            return
        fallen, done = training.averaged[1], training.shares[1]
    scale = next((scale for scale in RESTORED if scale < done), None)
    if scale is not None:
        shares = {base: 1 - scale, fallen: scale}
        why = f"{evidence.why}: would {scale:.0%} of the change cost no source too much?"
        text = ", ".join(f"{number} × {share:g}" for number, share in shares.items())
        yield Move(f"restore to {scale:.0%}", {AVERAGE: text}, {AVERAGE: why}, shares=shares)


def _average(evidence: Evidence) -> Iterator[Move]:
    """Measure the mean of the last good checkpoints as a round of its own, without training.

    The mean of the weights along a training lies closer to the centre of a flat minimum than each of them
    (Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization").
    """
    last_gain = evidence.last.verdict.compared_with
    good = [report.round for report in evidence.trained if report.round >= last_gain][-NUM_AVERAGED:]
    if evidence.last.report.training.averaged or len(good) < 2:
        return
    why = f"{evidence.why}: would the mean of the last good rounds' weights do better?"
    text = ", ".join(map(str, good))
    yield Move("average", {AVERAGE: text}, {AVERAGE: why}, shares={number: 1 / len(good) for number in good})


def _scale(evidence: Evidence) -> Iterator[Move]:
    """Measure the current best round with more or less of what training changed, without training.

    A larger change continues in the direction of training; a smaller one recovers what training forgot, and
    comes first where later training brought nothing (Ilharco et al. 2023, "Editing models with task
    arithmetic"; Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    """
    best = evidence.last.verdict.leading_round
    trained = [report.round for report in evidence.trained]
    if best not in trained:
        return
    measured = [judged.report.training for judged in evidence.rounds]
    for scale in SCALES if best == trained[-1] else reversed(SCALES):
        shares = {0: 1 - scale, best: scale}
        # Each scale is measured once for a round.
        if any(each.averaged == [*shares] and each.shares == [*shares.values()] for each in measured):
            continue
        why = f"{evidence.why}: would {scale:.0%} of the change from training do better?"
        text = ", ".join(f"{number} × {share:g}" for number, share in shares.items())
        yield Move(f"scale to {scale:.0%}", {AVERAGE: text}, {AVERAGE: why}, shares=shares)


def _regularise(evidence: Evidence) -> Iterator[Move]:
    """Raise the weight decay where training losses fall but validation does not improve."""
    old = evidence.number(WEIGHT_DECAY, 0.0)
    new = min(max(old * WEIGHT_DECAY_FACTOR, LOWEST_RAISED_WEIGHT_DECAY), evidence.spec.max_weight_decay)
    change, gain = loss_change(evidence.trained), evidence.last.verdict.gain
    if new <= old or change is None or change >= FALLING or gain is None or gain > 0:
        return
    why = f"signs of overfitting: training losses fell to {change:.0%}, the validation gain is {gain:+.3f}"
    yield Move("regularise", {WEIGHT_DECAY: new}, {WEIGHT_DECAY: why})


def _settle(evidence: Evidence) -> Iterator[Move]:
    """Lower the learning rate, and give more weight to the sources that lag behind the others."""
    spec, rate = evidence.spec, evidence.number(LEARNING_RATE)
    values: dict[str, Value] = {}
    reasons = {}
    # A rate that was configured below the bound stays unchanged: the loop never raises it.
    lower = min(rate, max(rate * spec.learning_rate_factor, spec.min_learning_rate))
    if lower < rate:
        values[LEARNING_RATE] = lower
        reasons[LEARNING_RATE] = f"{evidence.why}: smaller steps"
    remaining = evidence.remaining_losses()
    median = float(np.median(list(remaining.values()))) if remaining else 0.0
    for source, share in remaining.items():
        old = evidence.number(SOURCE_WEIGHT + source)
        new = min(old * spec.source_weight_factor, max(old, spec.max_source_weight))
        # A source whose loss has risen conflicts with the others and gets no more weight.
        if LAG * median < share <= 1.0 and new > old:
            values[SOURCE_WEIGHT + source] = new
            reasons[SOURCE_WEIGHT + source] = (
                f"it lags behind: {share:.0%} of its first loss remains, {median:.0%} for the median source"
            )
    if values:
        yield Move("settle", values, reasons)


def _without_conflicting_sources(evidence: Evidence) -> Iterator[Move]:
    """Train almost without one source whose gradients conflict with the others', for each such source."""
    for source in _removable_sources(evidence):
        if _may_conflict(evidence, source):
            yield _without(evidence, source)


def _without_unsuspicious_sources(evidence: Evidence) -> Iterator[Move]:
    """The same for each source whose gradients do not conflict with the others'."""
    for source in _removable_sources(evidence):
        if not _may_conflict(evidence, source):
            yield _without(evidence, source)


def _removable_sources(evidence: Evidence) -> list[str]:
    """The sources whose weight may be lowered, the most likely to harm the others first.

    That is the source whose gradient is least similar to the others'; where none was measured, the one that
    lags most: such a source either needs more weight, which ``settle`` tries, or conflicts with the others.
    """
    remaining = evidence.remaining_losses()
    # At least two sources, and half of all, keep their weight.
    if len(remaining) - 1 < max(2, len(remaining_losses(evidence.trained)) / 2):
        return []
    similarities = mean_gradient_similarities(evidence.trained)
    return sorted(remaining, key=lambda source: (similarities.get(source, 1.0), -remaining[source]))


def _may_conflict(evidence: Evidence, source: str) -> bool:
    """Whether the source's gradient opposes the others'; true for all where no gradient was measured."""
    similarities = mean_gradient_similarities(evidence.trained)
    return not similarities or similarities.get(source, 1.0) < CONFLICTING


def _without(evidence: Evidence, source: str) -> Move:
    """A round almost without one source; the gain of that round shows whether the source harms the others."""
    similarity = mean_gradient_similarities(evidence.trained).get(source)
    remaining = evidence.remaining_losses()[source]
    why = f"{evidence.why}: does it harm the others? {remaining:.0%} of its first loss remains"
    if similarity is not None:
        why += f", its gradient has cosine similarity {similarity:+.2f} with the others'"
    weight = SOURCE_WEIGHT + source
    return Move(f"without {source}", {weight: evidence.spec.min_source_weight}, {weight: why})


def _shots(evidence: Evidence) -> Iterator[Move]:
    """Train with fewer or more shots where validation is weakest with the fewest or the most."""
    report, spec = evidence.last.report, evidence.spec
    weakest = weakest_shots(report)
    if weakest is None:
        return
    old, is_fewest = int(evidence.number(MAX_SHOTS)), weakest == min(positive_shots(report))
    new = _halved(old, spec.min_shots) if is_fewest else _doubled(old, spec.max_shots)
    if new != old:
        why = f"{evidence.why}: validation is weakest at {weakest} shots"
        yield Move("shots", {MAX_SHOTS: new}, {MAX_SHOTS: why})


def _ways(evidence: Evidence) -> Iterator[Move]:
    """Train with fewer or more labels at once where sources with few or with many labels are weakest."""
    report, spec = evidence.last.report, evidence.spec
    weakest = weakest_ways(report)
    if weakest is None:
        return
    old, is_fewest = int(evidence.number(MAX_WAYS)), weakest == min(ways_by_source(report).values())
    new = _halved(old, spec.min_ways) if is_fewest else _doubled(old, spec.max_ways)
    if new != old:
        why = f"{evidence.why}: validation is weakest with {weakest} labels"
        yield Move("ways", {MAX_WAYS: new}, {MAX_WAYS: why})


def _unfreeze(evidence: Evidence) -> Iterator[Move]:
    """Train one more layer where training has stalled with the layers that it has."""
    layers, change = evidence.settings.get(TRAINABLE_LAYERS), loss_change(evidence.trained)
    if not isinstance(layers, int) or change is None or change < STALLED:
        return
    if evidence.trained[-1].training.frozen_layers > 0:
        why = f"training has stalled: {change:.0%} of the previous round's losses remain"
        yield Move("unfreeze", {TRAINABLE_LAYERS: layers + 1}, {TRAINABLE_LAYERS: why})


def _halved(old: int, lower_bound: int) -> int:
    """Half, but not below the bound; a value configured below the bound stays unchanged."""
    return min(old, max(old // 2, lower_bound))


def _doubled(old: int, upper_bound: int) -> int:
    """Twice, but not above the bound; a value configured above the bound stays unchanged."""
    return max(old, min(old * 2, upper_bound))


MOVES: dict[MoveName, Callable[[Evidence], Iterator[Move]]] = {
    "restore": _restore,
    "average": _average,
    "without": _without_conflicting_sources,
    "settle": _settle,
    "regularise": _regularise,
    "shots": _shots,
    "ways": _ways,
    "unfreeze": _unfreeze,
    "scale": _scale,
}
