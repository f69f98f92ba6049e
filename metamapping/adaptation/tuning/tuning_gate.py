"""Tuning gate: whether tuning the encoder to a task helps it, by what is left out of its examples.

In each of three folds the encoder's layers are tuned to the other examples alone, a mapping is computed from
those, and the left-out examples are predicted by it, and by a mapping of the encoder as it is. With many
examples, one fold or two are enough. Half of the change is considered as well. So few examples say little:
their standard error is mostly larger than the gain. Hence what they show is combined, as two normal
distributions, with what tuning has gained on other tasks. The share of the change with the highest expected
gain is used; none if that is hardly a gain.

    choice = choose(left_out_evidence(featurizer, state, steps, judged_folds(state)))
    choice.weight, choice.gain, choice.error

Notation: ``F`` left-out examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from metamapping.adaptation.algebra.folds import folds_of
from metamapping.adaptation.algebra.likelihood import fit_scale, log_likelihood
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.state_changes import without_examples
from metamapping.adaptation.tuning.tuning_gains import PRIORS, WEIGHTS, Prior, best_share, is_worth_a_change

if TYPE_CHECKING:  # this module imports TensorFlow
    from metamapping.adaptation.tuning.tuning_steps import TuningSteps

NUM_FOLDS = 3
# No further fold is judged once so many examples were left out: their standard error is then smaller than the
# mismatch between a task and its folds (``Prior.mismatch``), which more examples do not lessen.
ENOUGH_LEFT_OUT = 125
_LEAST_LOG_PROBABILITY = -14.0
# For each of WEIGHTS, what the inverse temperature has to be multiplied by on most tasks.
_USUAL_FACTORS = (0.6, 0.5)


class Fold(NamedTuple):
    """One fold of a task's examples, as positions.

    Attributes:
        number: Its number, from 0.
        rest: The examples that the layers are tuned to and the mapping is computed from.
        removed: All examples of the fold.
        left_out: Those of them that are judged: their labels have other examples.
    """

    number: int
    rest: np.ndarray
    removed: np.ndarray
    left_out: np.ndarray


# Of all items of a task, and of all names: float32 ``(num_items, num_views * dim)``, ``(num_labels, dim)``.
Features = tuple[np.ndarray, np.ndarray]
# Scores by features, without some examples, of the items at some positions: ``(num_judged, C)``.
Score = Callable[[Features, np.ndarray, np.ndarray], np.ndarray]
# Which examples of a fold are judged, by the positions of all others and of those in the fold.
LeftOutOf = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Evidence:
    """What leaving examples out has shown.

    Attributes:
        before: Log probability of each left-out example's label, ``(F,)``, by the encoder as it is.
        after: The same for each of ``WEIGHTS``, ``(len(WEIGHTS), F)``.
        chance: Mean log probability of a guess by the share of each label.
        shots: Mean number of examples of each label that has any.
        factors: For each of ``WEIGHTS`` by how much the inverse temperature has to be multiplied.
    """

    before: np.ndarray
    after: np.ndarray
    chance: float
    shots: float
    factors: tuple[float, ...] = (1.0,) * len(WEIGHTS)

    @property
    def priors(self) -> Sequence[Prior]:
        """What is expected of each of ``WEIGHTS`` before anything is left out."""
        return PRIORS

    @property
    def what(self) -> str:
        """What becomes more or less probable, for a sentence."""
        return "labels of left-out examples"

    @property
    def skill(self) -> float:
        """How much more log probability the encoder as it is gives to labels than a guess does."""
        return float(self.before.mean()) - self.chance

    @property
    def missing(self) -> float:
        """How much log probability there is to gain: the mean that the encoder as it is lacks."""
        return -float(self.before.mean())

    @property
    def gains(self) -> np.ndarray:
        """Mean gain in log probability of each of ``WEIGHTS``, ``(len(WEIGHTS),)``."""
        mean: np.ndarray = (self.after - self.before).mean(axis=1)
        return mean

    @property
    def errors(self) -> np.ndarray:
        """Standard errors of ``gains``; infinite for a single example."""
        count = len(self.before)
        if count == 1:
            return np.full(len(self.after), np.inf)
        errors: np.ndarray = (self.after - self.before).std(axis=1, ddof=1) / np.sqrt(count)
        return errors


@dataclass(frozen=True)
class Choice:
    """What follows from the evidence.

    Attributes:
        weight: The share of the change to use, 0 for none.
        best_weight: The best share above 0, whether or not it is used.
        before: Mean log probability of left-out examples' labels, untuned.
        after: The same at ``best_weight``.
        error: Standard error of the difference.
        expected_gain: What ``best_weight`` is expected to gain, in view of other tasks as well.
        scale_factor: By how much the inverse temperature has to be multiplied at ``best_weight``.
    """

    weight: float
    best_weight: float
    before: float
    after: float
    error: float
    expected_gain: float
    scale_factor: float

    @property
    def gain(self) -> float:
        """The mean gain in log probability of left-out examples at ``best_weight``."""
        return self.after - self.before


def choose(evidence: Evidence) -> Choice:
    """Choose the share of the change with the highest expected gain, none unless that is worth a change.

    Args:
        evidence: Of at least one left-out example.
    """
    best, gain = best_share(evidence, evidence.priors)
    return Choice(
        weight=WEIGHTS[best] if is_worth_a_change(gain) else 0.0,
        best_weight=WEIGHTS[best],
        before=float(evidence.before.mean()),
        after=float(evidence.after[best].mean()),
        error=float(evidence.errors[best]),
        expected_gain=gain,
        scale_factor=evidence.factors[best],
    )


def judged_folds(state: TaskState) -> list[Fold]:
    """The folds, at most ``NUM_FOLDS``, that say something about tuning: as many as are needed.

    Args:
        state: The task.

    Returns:
        An empty list if no two labels have two examples each where others are left out, without which
        nothing can be split.
    """
    targets = state.support.targets

    def left_out_of(rest: np.ndarray, removed: np.ndarray) -> np.ndarray:
        if int((np.bincount(targets[rest], minlength=1) > 1).sum()) < 2:
            return removed[:0]
        # A label without another example is predicted from its name alone, which says little of tuning.
        left_out: np.ndarray = removed[np.isin(targets[removed], targets[rest])]
        return left_out

    return telling_folds(folds_of(state.support.features, targets) % NUM_FOLDS, left_out_of)


def telling_folds(fold_of: np.ndarray, left_out_of: LeftOutOf) -> list[Fold]:
    """The folds that say something about tuning: as many as are needed, until enough is left out.

    Args:
        fold_of: The fold of each example, from 0 to ``NUM_FOLDS - 1``.
        left_out_of: Called with the positions of all examples outside of a fold, and of those in it. Returns
            which of those in it say something about tuning; none if the others cannot be tuned to.
    """
    folds: list[Fold] = []
    for number in range(NUM_FOLDS):
        if sum(len(fold.left_out) for fold in folds) >= ENOUGH_LEFT_OUT:
            break
        rest, removed = np.flatnonzero(fold_of != number), np.flatnonzero(fold_of == number)
        left_out = left_out_of(rest, removed)
        if len(left_out):
            folds.append(Fold(number, rest, removed, left_out))
    return folds


def left_out_evidence(
    featurizer: Featurizer, state: TaskState, steps: TuningSteps, folds: Sequence[Fold]
) -> Evidence:
    """Predict examples by mappings without their fold, as the encoder is and tuned without their fold.

    Args:
        featurizer: Has the meta-learned mapping.
        state: The task; ``steps`` was prepared with all of its examples.
        steps: Takes the steps of each fold.
        folds: At least one, as from ``judged_folds``.
    """
    targets, left_out = state.support.targets, [fold.left_out for fold in folds]
    logits = scores_without_folds(steps, folds, left_out, partial(logits_without, featurizer, state))
    labels = targets[np.concatenate(left_out)]
    judged = [judge(each, labels, usual) for each, usual in zip(logits, (1.0, *_USUAL_FACTORS), strict=True)]
    after, factors = zip(*judged[1:], strict=True)
    shots = len(targets) / len(np.unique(targets))
    return Evidence(judged[0][0], np.stack(after), _chance(labels), shots, factors)


def scores_without_folds(
    steps: TuningSteps, folds: Sequence[Fold], judged: Sequence[np.ndarray], score: Score
) -> list[np.ndarray]:
    """Score what each fold leaves out, by the encoder as it is and by those that were tuned without the fold.

    Args:
        steps: Takes the steps of each fold.
        folds: At least one.
        judged: For each fold the positions of the items that are scored.
        score: Gives the scores of some items by a mapping without some examples.

    Returns:
        For the encoder as it is and for each of ``WEIGHTS``, ``(num_judged, C)``, fold after fold.
    """
    scores: list[list[np.ndarray]] = [[] for _ in range(1 + len(WEIGHTS))]
    untuned = steps.features(steps.start)
    for fold, items in zip(folds, judged, strict=True):
        tuned = [steps.features(each) for each in steps.shares(steps.take(fold.number, fold.rest), WEIGHTS)]
        for features, so_far in zip([untuned, *tuned], scores, strict=True):
            so_far.append(score(features, fold.removed, items))
    return [np.concatenate(each) for each in scores]


def _chance(labels: np.ndarray) -> float:
    """The mean log probability of labels by their own shares."""
    shares = np.bincount(labels) / len(labels)
    return float(np.log(shares[labels]).mean())


def logits_without(
    featurizer: Featurizer, state: TaskState, features: Features, removed: np.ndarray, judged: np.ndarray
) -> np.ndarray:
    """Logits of texts or words by a mapping without some examples.

    Args:
        featurizer: Has the meta-learned mapping.
        state: The task.
        features: Of all texts or words, and of all names.
        removed: The examples that the mapping does not know.
        judged: The texts or words, which are among the features.

    Returns:
        ``(num_judged, C)``.
    """
    of_items, of_names = features
    support = replace(state.support, features=of_items)
    known = replace(state, support=support, name_features=of_names)
    solved = without_examples(featurizer, known, removed.tolist())
    logits: np.ndarray = solved.calibration.scale * solved.solution.scores(of_items[judged])
    return logits


def judge(logits: np.ndarray, labels: np.ndarray, usual: float) -> tuple[np.ndarray, float]:
    """Log probabilities of labels, and the factor on logits that suits them.

    Layers that were tuned to examples know them too well for a scale that is fitted to the same examples:
    their logits are too large. What was left out says by how much, and few examples say little, so that the
    factor is drawn towards the usual one.

    Args:
        logits: ``(N, C)``.
        labels: Label slots, integers ``(N,)``.
        usual: The factor on most tasks.
    """
    factor = fit_scale(logits, labels, usual)
    log_p: np.ndarray = np.maximum(log_likelihood(factor * logits, labels), _LEAST_LOG_PROBABILITY)
    return log_p, factor
