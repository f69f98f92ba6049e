"""Label noise: with which probability the label of an example is wrong, given what the others say.

With the probabilities ``p`` of an example's true label and a share ε of labels that were replaced by any
other one of C, the label ỹ that was given has the probability ``(1 − ε) p(ỹ) + ε / (C − 1) (1 − p(ỹ))``. The
inverse temperature τ of the scores and ε are those of the highest likelihood; Bayes' rule then gives the
probability that a label is wrong, and what it should be. Examples are ranked at half of τ, where labels that
resemble one another are less of a contradiction. A low probability says less about a label that is seldom
predicted with a high one: ``usual_confidence`` is taken off.

    model = fit_noise(scores, targets, scale=10.0)      # scores of each example by the mapping of the others
    ranked, wrong = rank(model, scores, targets, usual=usual_confidence(model, scores))

The uniform replacement is a simple model of noise (Natarajan et al., NeurIPS 2013, "Learning with noisy
labels"); annotators confuse similar labels more often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metamapping.models.probabilities import expit, log_softmax

# Standard deviation of the Gaussian prior on log τ around its start, and mean and standard deviation of the
# one on the log-odds of ε: 7.6 %, with two thirds of the mass between 3 and 18 %.
_LOG_SCALE_SPREAD, _NOISE_LOG_ODDS, _NOISE_SPREAD = 0.5, -2.5, 1.0
# Examples are ranked at this multiple of τ. The figures: docs/experiments/label-noise.md.
RANKING_FACTOR = 0.5
# The power of a label's usual confidence by which the probability of that label is divided for the ranking.
_USUAL_POWER = 0.5


class NoiseModel(NamedTuple):
    """How labels were replaced.

    Attributes:
        scale: The inverse temperature τ of the left-out scores.
        noise: The share ε of labels that were replaced.
    """

    scale: float
    noise: float

    def posterior(self, scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """The probability of each label to be the true one, given the label that was given.

        Args:
            scores: Left-out scores ``(num_examples, num_labels)``.
            targets: The given label slots ``(num_examples,)``.

        Returns:
            ``(num_examples, num_labels)``, rows that sum to 1.
        """
        num_labels, items = scores.shape[1], np.arange(len(targets))
        log_other = np.log(self.noise) - np.log(num_labels - 1)
        log_joint = log_softmax(self.scale * scores) + log_other
        log_joint[items, targets] += np.log1p(-self.noise) - log_other
        posterior: np.ndarray = np.exp(log_softmax(log_joint))
        return posterior


def fit_noise(scores: np.ndarray, targets: np.ndarray, *, scale: float) -> NoiseModel:
    """The noise model of the highest posterior probability.

    Args:
        scores: Left-out scores ``(num_examples, num_labels)``.
        targets: The given label slots ``(num_examples,)``.
        scale: The inverse temperature to start from.
    """
    from scipy.optimize import minimize

    items, num_others = np.arange(len(targets)), scores.shape[1] - 1

    def loss(parameters: np.ndarray) -> float:
        log_scale, log_odds = parameters
        true = np.exp(log_softmax(np.exp(log_scale) * scores)[items, targets])
        noise = expit(log_odds)
        given = (1 - noise) * true + noise / num_others * (1 - true)
        far = ((log_scale - np.log(scale)) / _LOG_SCALE_SPREAD) ** 2
        far += ((log_odds - _NOISE_LOG_ODDS) / _NOISE_SPREAD) ** 2
        return float(far / 2 - np.log(given + 1e-12).sum())

    start = [np.log(scale), _NOISE_LOG_ODDS]
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3}).x
    return NoiseModel(float(np.exp(best[0])), float(expit(best[1])))


def usual_confidence(model: NoiseModel, scores: np.ndarray) -> np.ndarray:
    """The mean probability of each label where it is the most probable one, ``(num_labels,)``.

    It does not depend on the labels that were given, unlike their mean probability, by which cleanlab sets
    the threshold of each label: that one is low for a rare label with wrong rows, which are then overlooked.

    Args:
        model: The noise model of the highest likelihood.
        scores: Left-out scores ``(num_examples, num_labels)``.
    """
    num_labels = scores.shape[1]
    highest = np.exp(log_softmax(model.scale * scores)).max(axis=1)
    predicted = scores.argmax(axis=1)
    counts = np.bincount(predicted, minlength=num_labels)
    sums = np.bincount(predicted, weights=highest, minlength=num_labels)
    usual: np.ndarray = np.where(counts > 0, sums / np.maximum(counts, 1), highest.mean())
    return usual


def rank(
    model: NoiseModel, scores: np.ndarray, targets: np.ndarray, *, usual: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The examples by how much the others contradict their labels.

    Args:
        model: The noise model of the highest likelihood.
        scores: Left-out scores ``(num_examples, num_labels)``.
        targets: The given label slots ``(num_examples,)``.
        usual: As from ``usual_confidence``; default: the same for all labels.

    Returns:
        Positions ``(num_examples,)``, the most contradicted first; and the probability that the label of each
        of them is wrong: that of the model, averaged where it is not in this order (isotonic regression).
    """
    from scipy.optimize import isotonic_regression

    items = np.arange(len(targets))
    support = log_softmax(RANKING_FACTOR * model.scale * scores)[items, targets]
    if usual is not None:
        support = support - _USUAL_POWER * np.log(usual[targets])
    ranked = np.argsort(support, kind="stable")
    wrong = 1.0 - model.posterior(scores, targets)[items, targets]
    return ranked, np.clip(isotonic_regression(wrong[ranked], increasing=False).x, 0.0, 1.0)
