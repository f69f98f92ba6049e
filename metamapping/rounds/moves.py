"""Moves: what the loop can try after a round without a gain, each with its condition.

Pure functions of the rounds so far. A ``Move`` names new values of single settings
(``adjustment.Settings``) and why; which move is taken, and what is taken back, ``adjustment`` says.

=============  ==========================================================  ===========================
move           condition                                                   effect
=============  ==========================================================  ===========================
``average``    two good rounds since the last clear gain, or with it       their weights' mean, measured
``regularise`` training losses fall, the validation does not               weight decay × 10
``settle``     learning rate above its bound, or a source lags             lower rate, more of the source
``without``    two sources and half of all keep their weight               next to nothing of one source
``shots``      the least or the most shots validate clearly worst          half or twice ``max_shots``
``ways``       sources of few or of many labels validate clearly worst     half or twice ``max_ways``
``unfreeze``   training losses have stalled, layers are frozen             one more layer is trained
``scale``      a trained round leads                                       its change × 1.5 or 0.5, measured
=============  ==========================================================  ===========================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from metamapping.config.schema import AdjustmentSpec
from metamapping.rounds.records import RoundReport, Value
from metamapping.rounds.statistics import (
    _few_shots,
    _ways_of,
    loss_change,
    mean_agreements,
    remaining_losses,
    trained_rounds,
    weakest_shots,
    weakest_ways,
)

if TYPE_CHECKING:
    from metamapping.rounds.records import Round


# Names of settings beside the fields of TrainingSpec.
SOURCE_WEIGHT = "source_weights."  # followed by the source's name
MAX_SHOTS = "episodes.max_shots"
MAX_WAYS = "episodes.max_ways"
TRAINABLE_LAYERS = "encoder.trainable_layers"
AVERAGE = "average_of_rounds"

# A source lags when it kept this much more of its first loss than the median source did.
LAG = 1.05
# Training falls where the median source lost more than 5 % of its loss from one round to the next,
# and has stalled where it lost less than 2 %.
FALLING, STALLED = 0.95, 0.98
# Gradients of sources that have nothing to do with each other are orthogonal, within noise.
AT_ODDS = -0.1
# More checkpoints reach further back, to worse ones.
NUM_AVERAGED = 3
# Half as far again as training went from the untrained weights, and half as far.
SCALES = (1.5, 0.5)
# AdamW takes off `rate · decay` of a weight in a step: at a rate of 3e-5 anything below a tenfold
# change is lost in rounding.
WEIGHT_DECAY_FACTOR, LEAST_WEIGHT_DECAY = 10.0, 0.01


@dataclass(frozen=True)
class Move:
    """One thing to try: new values of settings, and for each of them why."""

    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """What moves are judged by: all rounds, and the settings that they would change."""

    rounds: Sequence[Round]
    settings: Mapping[str, Value]
    spec: AdjustmentSpec
    why: str  # "no clear gain", or "it diverged"

    @property
    def last(self) -> Round:
        """The round just judged."""
        return self.rounds[-1]

    @property
    def trained(self) -> list[RoundReport]:
        """``trained_rounds`` of all rounds so far."""
        return trained_rounds(self.rounds)

    def number(self, setting: str, default: float = 1.0) -> float:
        """A setting that is a number; where nothing is set, ``default``."""
        value = self.settings.get(setting)
        return float(value) if isinstance(value, (int, float)) else default


def propose(evidence: Evidence) -> Iterator[Move]:
    """The moves whose conditions hold, in the configured order; after a divergence ``settle`` alone.

    Where a single source has fallen nothing says that the steps are too large: any move may help.
    Trials without a source against which nothing speaks come last of all.
    """
    suspects = _suspects(evidence)
    runs_away = evidence.last.verdict.diverged and not evidence.last.verdict.fallen
    for name in evidence.spec.moves:
        if name == "settle":
            yield from _settle(evidence)
        elif runs_away:
            continue
        elif name == "average":
            yield from _average(evidence)
        elif name == "scale":
            yield from _scale(evidence)
        elif name == "regularise":
            yield from _regularise(evidence)
        elif name == "without":
            yield from (_without(evidence, source) for source in suspects if _is_at_odds(evidence, source))
        elif name == "shots":
            yield from _shots(evidence)
        elif name == "ways":
            yield from _ways(evidence)
        else:
            yield from _unfreeze(evidence)
    if "without" in evidence.spec.moves and not runs_away:
        yield from (_without(evidence, source) for source in suspects if not _is_at_odds(evidence, source))


def _average(evidence: Evidence) -> Iterator[Move]:
    """The mean of the last good checkpoints as a round of its own: no training, just measured.

    The mean of weights along a training lies nearer to the middle of its valley than each of them
    (Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization").
    """
    gained = evidence.last.verdict.compared_with
    since = [report for report in evidence.trained if report.round >= gained]
    if evidence.last.report.training.averaged or len(since) < 2:
        return
    numbers = ", ".join(str(report.round) for report in since[-NUM_AVERAGED:])
    why = f"{evidence.why}: do the last good rounds, taken together, do better?"
    yield Move("average", {AVERAGE: numbers}, {AVERAGE: why})


def _scale(evidence: Evidence) -> Iterator[Move]:
    """What training has changed in the leading round's weights, by half more or by half less; just measured.

    More goes on where training was going; less gives back what training forgot, and comes first where
    later training has led nowhere. Ilharco et al. 2023, "Editing models with task arithmetic"; Wortsman
    et al. 2022, "Robust fine-tuning of zero-shot models".
    """
    leading = evidence.last.verdict.leading_round
    trained = [report.round for report in evidence.trained]
    if leading not in trained:
        return
    measured = [judged.report.training for judged in evidence.rounds]
    for scale in SCALES if leading == trained[-1] else reversed(SCALES):
        shares = [1 - scale, scale]
        if any(each.averaged == [0, leading] and each.shares == shares for each in measured):
            continue
        why = f"{evidence.why}: does {scale:.0%} of what training has changed do better?"
        value = f"0 × {shares[0]:g}, {leading} × {shares[1]:g}"
        yield Move(f"scale to {scale:.0%}", {AVERAGE: value}, {AVERAGE: why})


def shares_of(text: str) -> dict[int, float]:
    """A mean's rounds and their shares: ``"6, 7, 8"``, a third each, or ``"0 × -0.5, 8 × 1.5"``."""
    parts = [part.split("×") for part in text.split(",")]
    return {int(number): float(share[0]) if share else 1 / len(parts) for number, *share in parts}


def _regularise(evidence: Evidence) -> Iterator[Move]:
    """More weight decay, where training and validation part."""
    old = evidence.number("weight_decay", 0.0)
    new = min(max(old * WEIGHT_DECAY_FACTOR, LEAST_WEIGHT_DECAY), evidence.spec.max_weight_decay)
    change, gain = loss_change(evidence.trained), evidence.last.verdict.gain
    if new <= old or change is None or change >= FALLING or gain is None or gain > 0:
        return
    why = f"training and validation part: the losses fell to {change:.0%}, the gain is {gain:+.3f}"
    yield Move("regularise", {"weight_decay": new}, {"weight_decay": why})


def _settle(evidence: Evidence) -> Iterator[Move]:
    """Smaller steps, and more weight for the sources that lag behind the others."""
    spec, rate = evidence.spec, evidence.number("learning_rate")
    values: dict[str, Value] = {}
    reasons = {}
    # A rate configured below the bound stays where it is: the loop never raises it.
    lower = min(rate, max(rate * spec.learning_rate_factor, spec.min_learning_rate))
    if lower < rate:
        values["learning_rate"] = lower
        reasons["learning_rate"] = f"{evidence.why}: smaller steps"
    remaining = _kept(evidence)
    median = float(np.median(list(remaining.values()))) if remaining else 0.0
    for source, share in remaining.items():
        old = evidence.number(SOURCE_WEIGHT + source)
        new = min(old * spec.source_weight_factor, max(old, spec.max_source_weight))
        # A source whose loss has risen is at odds with the others, and gets no more weight.
        if LAG * median < share <= 1.0 and new > old:
            values[SOURCE_WEIGHT + source] = new
            reasons[SOURCE_WEIGHT + source] = (
                f"it lags: {share:.0%} of its first loss is left, {median:.0%} in the median source"
            )
    if values:
        yield Move("settle", values, reasons)


def _suspects(evidence: Evidence) -> list[str]:
    """The sources that may be tried without, the likeliest to harm first.

    That is the one whose gradient agrees least with the others'; where none was measured, the one
    that lags most, as such a source either needs more, which ``settle`` tries, or is at odds.
    """
    kept, remaining = _kept(evidence), remaining_losses(evidence.trained)
    if len(kept) - 1 < max(2, len(remaining) / 2):
        return []
    agreements = mean_agreements(evidence.trained)
    return sorted(kept, key=lambda source: (agreements.get(source, 1.0), -kept[source]))


def _is_at_odds(evidence: Evidence, source: str) -> bool:
    """Whether a step for the source is a step against the others; yes where none was measured at all."""
    agreements = mean_agreements(evidence.trained)
    return not agreements or agreements.get(source, 1.0) < AT_ODDS


def _without(evidence: Evidence, source: str) -> Move:
    """A round with next to nothing of one source: what that brings says whether the source harms."""
    agreement = mean_agreements(evidence.trained).get(source)
    why = f"{evidence.why}: does it harm? {_kept(evidence)[source]:.0%} of its first loss is left"
    if agreement is not None:
        why += f", its gradient agrees {agreement:+.2f} with the others'"
    weight = SOURCE_WEIGHT + source
    return Move(f"without {source}", {weight: evidence.spec.min_source_weight}, {weight: why})


def _shots(evidence: Evidence) -> Iterator[Move]:
    """More or fewer shots in training, where the validation is weakest with the most or the fewest."""
    weakest, spec = weakest_shots(evidence.last.report), evidence.spec
    if weakest is None:
        return
    old, few = int(evidence.number(MAX_SHOTS)), min(_few_shots(evidence.last.report))
    new = _halved(old, spec.min_shots) if weakest == few else _doubled(old, spec.max_shots)
    if new != old:
        why = f"{evidence.why}: the validation is weakest at {weakest} shots"
        yield Move("shots", {MAX_SHOTS: new}, {MAX_SHOTS: why})


def _ways(evidence: Evidence) -> Iterator[Move]:
    """More or fewer labels at once in training, where sources of many or of few of them are behind."""
    weakest, spec = weakest_ways(evidence.last.report), evidence.spec
    if weakest is None:
        return
    old, is_few = int(evidence.number(MAX_WAYS)), weakest == min(_ways_of(evidence.last.report).values())
    new = _halved(old, spec.min_ways) if is_few else _doubled(old, spec.max_ways)
    if new != old:
        why = f"{evidence.why}: the validation is weakest with {weakest} labels"
        yield Move("ways", {MAX_WAYS: new}, {MAX_WAYS: why})


def _halved(old: int, least: int) -> int:
    """Half, but no less than ``least``; what is configured below it stays where it is."""
    return min(old, max(old // 2, least))


def _doubled(old: int, most: int) -> int:
    """Twice, but no more than ``most``; what is configured above it stays where it is."""
    return max(old, min(old * 2, most))


def _unfreeze(evidence: Evidence) -> Iterator[Move]:
    """One more layer, where training itself has stalled with the layers it has."""
    layers, change = evidence.settings.get(TRAINABLE_LAYERS), loss_change(evidence.trained)
    if not isinstance(layers, int) or change is None or change < STALLED:
        return
    if evidence.trained[-1].training.frozen_layers > 0:
        why = f"training has stalled: {change:.0%} of the losses of the round before are left"
        yield Move("unfreeze", {TRAINABLE_LAYERS: layers + 1}, {TRAINABLE_LAYERS: why})


def _kept(evidence: Evidence) -> dict[str, float]:
    """The remaining losses of the sources that are trained on with more than next to nothing."""
    least = evidence.spec.min_source_weight
    remaining = remaining_losses(evidence.trained)
    return {s: share for s, share in remaining.items() if evidence.number(SOURCE_WEIGHT + s) > least}
