"""Tuning gate: whether tuning the encoder to a task helps it, by what is left out of its examples.

In each of three folds the encoder's layers are tuned to the other examples alone, a mapping is computed from
those, and the left-out examples are predicted by it, and by a mapping of the encoder as it is. Weights
between the two encoders are considered as well. Only a gain of more than one standard error counts, so that
few examples are rarely enough.

    choice = choose(left_out_evidence(featurizer, state, stretch))
    choice.weight, choice.gain, choice.error

Notation: ``F`` left-out examples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.folds import folds_of
from metamapping.adaptation.likelihood import fit_scale, log_likelihood
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.state_changes import without_examples

if TYPE_CHECKING:  # this module imports TensorFlow
    from metamapping.adaptation.tuning_steps import TuningSteps

NUM_FOLDS = 3
# The shares of the change that are considered, besides none of it.
WEIGHTS = (0.5, 1.0)
# A change is used if it gains more than this many standard errors, and at least so much log probability.
MIN_ERRORS, MIN_GAIN = 1.0, 0.01
_LEAST_LOG_PROBABILITY = -14.0


@dataclass(frozen=True)
class Evidence:
    """What leaving examples out has shown.

    Attributes:
        before: Log probability of each left-out example's label, ``(F,)``, by the encoder as it is.
        after: The same for each of ``WEIGHTS``, ``(len(WEIGHTS), F)``.
        factors: For each of ``WEIGHTS`` by how much the inverse temperature has to be multiplied.
    """

    before: np.ndarray
    after: np.ndarray
    factors: tuple[float, ...] = (1.0,) * len(WEIGHTS)


@dataclass(frozen=True)
class Choice:
    """What follows from the evidence.

    Attributes:
        weight: The share of the change to use, 0 for none.
        best_weight: The best share above 0, whether or not it is used.
        before: Mean log probability of left-out examples' labels, untuned.
        after: The same at ``best_weight``.
        error: Standard error of the difference.
        scale_factor: By how much the inverse temperature has to be multiplied at ``best_weight``.
    """

    weight: float
    best_weight: float
    before: float
    after: float
    error: float
    scale_factor: float

    @property
    def gain(self) -> float:
        """The mean gain in log probability at ``best_weight``."""
        return self.after - self.before


def choose(evidence: Evidence) -> Choice:
    """Choose the share of the change with the highest gain minus its error; none unless that is positive.

    Args:
        evidence: Of at least one left-out example. The error of a single one is infinite.
    """
    differences = evidence.after - evidence.before
    count = len(evidence.before)
    gains = differences.mean(axis=1)
    errors = differences.std(axis=1, ddof=1) / np.sqrt(count) if count > 1 else np.full(len(gains), np.inf)
    best = int(np.argmax(gains - MIN_ERRORS * errors))
    is_used = gains[best] > max(MIN_ERRORS * errors[best], MIN_GAIN)
    return Choice(
        weight=WEIGHTS[best] if is_used else 0.0,
        best_weight=WEIGHTS[best],
        before=float(evidence.before.mean()),
        after=float(evidence.after[best].mean()),
        error=float(errors[best]),
        scale_factor=evidence.factors[best],
    )


def has_evidence(targets: np.ndarray) -> bool:
    """Whether two labels have two examples, without which nothing can be split or left out.

    Args:
        targets: Label slots, int ``(num_examples,)``.
    """
    return int((np.bincount(targets, minlength=1) > 1).sum()) >= 2


def left_out_evidence(featurizer: Featurizer, state: TaskState, steps: TuningSteps) -> Evidence | None:
    """Predict every example by mappings without its fold, as the encoder is and tuned without its fold.

    Args:
        featurizer: Has the meta-learned mapping.
        state: The task; ``steps`` was prepared with all of its examples.
        steps: Takes the steps of each fold.

    Returns:
        The evidence; ``None`` if no fold has any.
    """
    targets = state.support.targets
    folds = folds_of(state.support.features, targets) % NUM_FOLDS
    logits: list[list[np.ndarray]] = [[] for _ in range(1 + len(WEIGHTS))]
    labels: list[np.ndarray] = []
    untuned = steps.features(steps.start)
    for fold in range(NUM_FOLDS):
        rest, removed = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        # A label without another example is predicted from its name alone, which says little of tuning.
        left_out = removed[np.isin(targets[removed], targets[rest])]
        if not len(left_out) or not has_evidence(targets[rest]):
            continue
        tuned = [steps.features(each) for each in steps.shares(steps.take(fold, rest), WEIGHTS)]
        for each, so_far in zip([untuned, *tuned], logits, strict=True):
            so_far.append(_logits(featurizer, state, each, removed, left_out))
        labels.append(targets[left_out])
    if not labels:
        return None
    judged = [_judge(np.concatenate(each), np.concatenate(labels)) for each in logits]
    after, factors = zip(*judged[1:], strict=True)
    return Evidence(judged[0][0], np.stack(after), factors)


def _logits(
    featurizer: Featurizer,
    state: TaskState,
    features: tuple[np.ndarray, np.ndarray],
    removed: np.ndarray,
    left_out: np.ndarray,
) -> np.ndarray:
    """Logits of left-out examples by a mapping without ``removed``, ``(num_left_out, C)``."""
    of_texts, of_names = features
    support = replace(state.support, features=of_texts)
    known = replace(state, support=support, name_features=of_names)
    solved = without_examples(featurizer, known, removed.tolist())
    logits: np.ndarray = solved.calibration.scale * solved.solution.scores(of_texts[left_out])
    return logits


def _judge(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Log probabilities of labels, and the factor on logits that suits them.

    Layers that were tuned to examples know them too well for a scale that is fitted to the same examples:
    their logits are too large. What was left out says by how much.
    """
    factor = fit_scale(logits, labels, 1.0)
    log_p: np.ndarray = np.maximum(log_likelihood(factor * logits, labels), _LEAST_LOG_PROBABILITY)
    return log_p, factor
