"""Several labels a text: ridge regression with a decision of its own for each label.

The features, the kernel and the scores of the label names are those of ordinary tasks. The targets are 1 for
the labels of a text and 0 for all others, and each label's column is solved by itself, so that a label's
score depends on another label only through the names, which are centred over the labels as everywhere. The
weight of the names α, λ and the views are fitted by the likelihood of left-out labels, each label of a text
being one outcome. Each label has a sigmoid and a threshold, fitted to left-out scores as well: what few
examples say is shrunk towards what all labels together say. Figures: benchmarks/README.md.

    solution = solve_columns(learned, name_features, support)
    decisions = decide(left_out_scores, targets, inverse_temperature=10.0)
    decisions.chosen(decisions.probabilities(scores))      # bool (num_texts, num_labels)

Notation: ``N`` texts, ``C`` labels, ``d`` the width of one view; ``R`` and ``A`` values of λ and α.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from metamapping.adaptation.solution import Solution, view_roots
from metamapping.adaptation.support import Support
from metamapping.models.probabilities import expit, softmax
from metamapping.models.solvers.solver_constants import MAX_ITEMS, TEXT_RIDGE_FACTORS
from metamapping.models.solvers.vector_layout import ALPHA_GRID
from metamapping.runtime.mapping import LearnedHyperparameters, LearnedMapping

# At most this many left-out outcomes (texts times labels) are used to choose among the grid's 120 points.
_MAX_OUTCOMES = 10_000
_MIN_VIEW_PROBABILITY = 1e-6
# The sigmoid that all labels share: standard deviations of its slope, as a multiple of τ, and of its offset.
_SLOPE_SPREAD, _OFFSET_SPREAD = 1.0, 5.0
# A label's own sigmoid around the shared one: of its slope as a multiple of the shared one, and its offset.
_OWN_SLOPE_SPREAD, _OWN_OFFSET_SPREAD = 0.2, 0.5
_GRID_ITERATIONS, _FIT_ITERATIONS = 6, 20
# A label's F1 at a threshold is that of its own left-out texts together with those of this many examples of
# an average label. On left-out rows of GoEmotions' train file 5 was better than 20 and 80.
_AVERAGE_EXAMPLES = 5.0
# The logits' distance over which a text counts as partly above a threshold.
_THRESHOLD_WIDTH = 0.5
_NUM_THRESHOLDS = 200
# Above this many left-out scores an even selection of the texts decides.
_MAX_DECISION_SCORES = 400_000


@dataclass(frozen=True)
class LabelDecisions:
    """How the scores of each label become its probability, and from where on a text has the label.

    Attributes:
        slopes: Float32 ``(C,)``.
        offsets: Float32 ``(C,)``: a score s has the logit ``slope * s + offset``.
        thresholds: Float32 ``(C,)``, probabilities.
    """

    slopes: np.ndarray
    offsets: np.ndarray
    thresholds: np.ndarray

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each label, independent of the others.

        Args:
            scores: ``(num_texts, C)``.

        Returns:
            Float32 ``(num_texts, C)``.
        """
        probabilities: np.ndarray = expit(self.slopes * scores + self.offsets)
        return probabilities.astype(np.float32)

    def chosen(self, probabilities: np.ndarray, threshold: float | None = None) -> np.ndarray:
        """Which labels each text has.

        Args:
            probabilities: ``(num_texts, C)``.
            threshold: The same threshold for all labels; default: each label's own.

        Returns:
            Bool ``(num_texts, C)``.
        """
        chosen: np.ndarray = probabilities >= (self.thresholds if threshold is None else threshold)
        return chosen

    def widened(self, num_labels: int) -> LabelDecisions:
        """The decisions with those of an average label for each label after the last.

        Args:
            num_labels: How many labels there are now.
        """
        missing = (0, num_labels - len(self.slopes))
        return LabelDecisions(
            *(
                np.pad(each, missing, constant_values=np.median(each))
                for each in (self.slopes, self.offsets, self.thresholds)
            )
        )

    def without(self, column: int) -> LabelDecisions:
        """The decisions without a label.

        Args:
            column: The label's slot.
        """
        return LabelDecisions(
            *(np.delete(each, column) for each in (self.slopes, self.offsets, self.thresholds))
        )


def undecided(num_labels: int, inverse_temperature: float) -> LabelDecisions:
    """The decisions of a task without examples: a text of which nothing is known has about one label.

    Args:
        num_labels: C.
        inverse_temperature: The meta-learned τ.
    """
    offset = -np.log(max(num_labels - 1, 1))
    return LabelDecisions(
        np.full(num_labels, inverse_temperature, np.float32),
        np.full(num_labels, offset, np.float32),
        np.full(num_labels, 0.5, np.float32),
    )


def solve_columns(learned: LearnedMapping, name_features: np.ndarray, support: Support) -> Solution:
    """Compute the mapping of a task whose texts have any number of labels.

    Args:
        learned: The meta-learned mapping; its solver is a ridge regression.
        name_features: Float32 ``(C, d)``, features of the label names.
        support: The examples, with targets ``(N, C)`` of ones and zeros. Without any, the result is the
            prior.
    """
    hyperparameters, num_labels = learned.hyperparameters, len(name_features)
    prior = learned.prior(learned.label_vectors(name_features, np.zeros(num_labels, bool)))
    wide = np.zeros((support.features.shape[1] + 1, num_labels), np.float32)
    wide[: len(prior) - 1], wide[-1] = prior[:-1], prior[-1]
    views = tuple(float(weight) for weight in hyperparameters.views)
    if not len(support.features):
        return Solution(wide, wide, hyperparameters.ridge, views)
    alpha, ridge = hyperparameters.alpha, hyperparameters.ridge
    if learned.solver == "ridge" and len(support.features) > 1:
        alpha, ridge, views = fit_columns(support, prior, hyperparameters)
    weighted_prior = np.float32(alpha) * wide
    weights = weighted_prior + _change(support, weighted_prior, ridge, views)
    return Solution(weights.astype(np.float32), weighted_prior, ridge, views)


def fit_columns(
    support: Support, prior: np.ndarray, learned: LearnedHyperparameters
) -> tuple[float, float, tuple[float, ...]]:
    """α, λ and the views' weights that predict left-out texts best, shrunk towards the learned ones.

    Args:
        support: At least two examples.
        prior: P of the first view, ``(d + 1, C)``.
        learned: The meta-learned hyperparameters.

    Returns:
        The posterior mean of α, the geometric one of λ, and that of the weights of the views after the first.
    """
    num_labels = prior.shape[1]
    rows = _spread_rows(support.features[:, 0], min(MAX_ITEMS, max(2, _MAX_OUTCOMES // num_labels)))
    features, targets = support.features[rows].astype(np.float64), support.targets[rows].astype(np.float64)
    views = np.split(features, 1 + len(learned.views), axis=1)
    right = np.concatenate([targets, views[0] @ prior[:-1] + prior[-1]], axis=1)
    # Copies of one text are left out together.
    is_same = np.equal.outer(features[:, 0], features[:, 0])
    grams = [view @ view.T for view in views]
    subsets = np.asarray(list(itertools.product((0.0, 1.0), repeat=len(learned.views))))
    log_posterior = np.empty((len(subsets), len(TEXT_RIDGE_FACTORS), len(ALPHA_GRID)))
    for s, subset in enumerate(subsets):
        gram = 1.0 + grams[0] + sum(weight * each for weight, each in zip(subset, grams[1:], strict=True))
        values, vectors = np.linalg.eigh(gram)
        for r, factor in enumerate(TEXT_RIDGE_FACTORS):
            shrinkage = 1.0 / (np.maximum(values, 0.0) + factor * learned.ridge)
            residuals = _left_out_residuals((vectors * shrinkage) @ vectors.T, right, is_same)
            scores = np.stack(
                [targets - residuals[:, :num_labels] + a * residuals[:, num_labels:] for a in ALPHA_GRID]
            )
            log_posterior[s, r] = _fit_shared(scores, targets, learned.inverse_temperature, _GRID_ITERATIONS)[
                2
            ]
    distance = ((np.asarray(ALPHA_GRID) - learned.alpha) / learned.alpha_spread) ** 2
    distance = distance + ((np.log(TEXT_RIDGE_FACTORS) / learned.ridge_spread) ** 2)[:, None]
    odds = np.clip(learned.views.astype(np.float64), _MIN_VIEW_PROBABILITY, 1.0 - _MIN_VIEW_PROBABILITY)
    log_views = subsets @ np.log(odds) + (1.0 - subsets) @ np.log1p(-odds)
    log_posterior = log_posterior + log_views[:, None, None] - 0.5 * distance
    posterior = softmax(log_posterior.ravel()).reshape(log_posterior.shape)
    log_factor = (posterior.sum(axis=(0, 2)) * np.log(TEXT_RIDGE_FACTORS)).sum()
    weights = posterior.sum(axis=(1, 2)) @ subsets
    return (
        float((posterior * ALPHA_GRID).sum()),
        learned.ridge * float(np.exp(log_factor)),
        tuple(float(weight) for weight in weights),
    )


def shared_log_likelihoods(
    scores: np.ndarray, targets: np.ndarray, *, inverse_temperature: float
) -> np.ndarray:
    """The log probability of all labels of each text, by the one sigmoid that suits all labels best.

    Args:
        scores: ``(N, C)``, of texts that the scores were not computed from.
        targets: ``(N, C)``, ones and zeros.
        inverse_temperature: The meta-learned τ, around which the slope lies.

    Returns:
        ``(N,)``.
    """
    scores, targets = scores.astype(np.float64), targets.astype(np.float64)
    (slope,), (offset,), _ = _fit_shared(scores[None], targets, inverse_temperature, _FIT_ITERATIONS)
    z = slope * scores + offset
    log_p: np.ndarray = (targets * z - np.logaddexp(0.0, z)).sum(axis=1)
    return log_p


def decide(scores: np.ndarray, targets: np.ndarray, *, inverse_temperature: float) -> LabelDecisions:
    """Fit the sigmoids and thresholds of all labels to left-out scores.

    Args:
        scores: ``(N, C)``, of each text by the mapping of the others.
        targets: ``(N, C)``, ones and zeros.
        inverse_temperature: The meta-learned τ, around which the shared slope lies.
    """
    rows = _spread_rows(scores.sum(axis=1), max(2, _MAX_DECISION_SCORES // scores.shape[1]))
    scores, targets = scores[rows].astype(np.float64), targets[rows].astype(np.float64)
    (slope,), (offset,), _ = _fit_shared(scores[None], targets, inverse_temperature, _FIT_ITERATIONS)
    slopes, offsets = _fit_own(scores, targets, slope, offset)
    logits = slopes * scores + offsets
    thresholds = expit(_best_thresholds(logits, targets > 0))
    return LabelDecisions(*(each.astype(np.float32) for each in (slopes, offsets, thresholds)))


def _change(
    support: Support, weighted_prior: np.ndarray, ridge: float, views: tuple[float, ...]
) -> np.ndarray:
    """What the examples add to the prior: weights of raw features, ``(width + 1, C)``."""
    width = support.features.shape[1]
    roots = np.append(view_roots(views, width), np.float32(1.0))
    H = np.ones((len(support.features), width + 1), np.float64)
    H[:, :-1] = support.features * roots[:-1]
    residual = support.targets - support.features @ weighted_prior[:-1] - weighted_prior[-1]
    if len(H) <= width + 1:
        change = H.T @ np.linalg.solve(H @ H.T + ridge * np.eye(len(H)), residual)
    else:
        change = np.linalg.solve(H.T @ H + ridge * np.eye(width + 1), H.T @ residual)
    weights: np.ndarray = roots[:, None] * change
    return weights


def _left_out_residuals(inverse: np.ndarray, right: np.ndarray, is_same: np.ndarray) -> np.ndarray:
    """What is left of ``right`` on each text by the regression without it and its copies."""
    dual = inverse @ right
    if is_same.sum() == len(is_same):
        single: np.ndarray = dual / np.diag(inverse)[:, None]
        return single
    return np.linalg.solve(inverse * is_same, dual)


def _fit_shared(
    scores: np.ndarray, targets: np.ndarray, inverse_temperature: float, num_iterations: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One sigmoid for all labels, in each of ``G`` settings: slopes, offsets and log likelihoods ``(G,)``.

    ``scores``: ``(G, N, C)``.
    """
    s, y = scores.reshape(len(scores), -1), targets.reshape(1, -1)
    mean = (y.sum() + 1.0) / (y.size + 2.0)
    centre = (inverse_temperature, float(np.log(mean / (1.0 - mean))))
    precisions = (1.0 / (_SLOPE_SPREAD * inverse_temperature) ** 2, 1.0 / _OFFSET_SPREAD**2)
    slope, offset = _fit_sigmoids(s, y, centre, precisions, num_iterations)
    z = slope[:, None] * s + offset[:, None]
    return slope, offset, (y * z - np.logaddexp(0.0, z)).sum(axis=1)


def _fit_own(
    scores: np.ndarray, targets: np.ndarray, slope: float, offset: float
) -> tuple[np.ndarray, np.ndarray]:
    """The slope and the offset of each label, shrunk towards the shared ones: ``(C,)`` each."""
    precisions = (1.0 / (_OWN_SLOPE_SPREAD * slope) ** 2, 1.0 / _OWN_OFFSET_SPREAD**2)
    return _fit_sigmoids(scores.T, targets.T, (slope, offset), precisions, _FIT_ITERATIONS)


def _fit_sigmoids(
    s: np.ndarray,
    y: np.ndarray,
    centre: tuple[float, float],
    precisions: tuple[float, float],
    num_iterations: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The slopes and offsets of the highest posterior probability in ``B`` problems: ``(B,)`` each.

    ``s``: ``(B, M)``; ``y``: the same shape or ``(1, M)``. A Newton step that does not climb is replaced by
    that of Jaakkola and Jordan's bound, which always does.
    """
    slope, offset = np.full(len(s), centre[0]), np.full(len(s), centre[1])

    def log_posterior(slope: np.ndarray, offset: np.ndarray) -> np.ndarray:
        z = slope[:, None] * s + offset[:, None]
        distance = precisions[0] * (slope - centre[0]) ** 2 + precisions[1] * (offset - centre[1]) ** 2
        value: np.ndarray = (y * z - np.logaddexp(0.0, z)).sum(axis=1) - 0.5 * distance
        return value

    value = log_posterior(slope, offset)
    for _ in range(num_iterations):
        z = slope[:, None] * s + offset[:, None]
        p = expit(z)
        residual = y - p
        g1 = (residual * s).sum(axis=1) - precisions[0] * (slope - centre[0])
        g2 = residual.sum(axis=1) - precisions[1] * (offset - centre[1])
        newton = _step(s, p * (1.0 - p), g1, g2, precisions)
        is_climbing = log_posterior(slope + newton[0], offset + newton[1]) >= value
        if not is_climbing.all():
            safe = _step(s, _curvature(z), g1, g2, precisions)
            newton = np.where(is_climbing, newton, safe)
        slope, offset = slope + newton[0], offset + newton[1]
        value = log_posterior(slope, offset)
    return slope, offset


def _step(
    s: np.ndarray, weight: np.ndarray, g1: np.ndarray, g2: np.ndarray, precisions: tuple[float, float]
) -> np.ndarray:
    """The steps of slope and offset, ``(2, B)``, for the curvatures ``weight``, ``(B, M)``."""
    h11 = (weight * s * s).sum(axis=1) + precisions[0]
    h12, h22 = (weight * s).sum(axis=1), weight.sum(axis=1) + precisions[1]
    steps: np.ndarray = np.stack([h22 * g1 - h12 * g2, h11 * g2 - h12 * g1]) / (h11 * h22 - h12**2)
    return steps


def _curvature(z: np.ndarray) -> np.ndarray:
    """``tanh(z / 2) / (2 z)``: the curvature of a parabola that bounds the logistic loss at z."""
    near_zero = np.abs(z) < 1e-6
    safe = np.where(near_zero, 1.0, z)
    curvature: np.ndarray = np.where(near_zero, 0.25, np.tanh(0.5 * safe) / (2.0 * safe))
    return curvature


def _best_thresholds(logits: np.ndarray, is_label: np.ndarray) -> np.ndarray:
    """The logit from which on each label has the best smoothed F1: ``(C,)``."""
    count = is_label.sum(axis=0)
    has_examples = count > 0
    if not has_examples.any():
        return np.zeros(logits.shape[1])
    grid = np.linspace(np.quantile(logits, 0.3), logits.max(), _NUM_THRESHOLDS)
    correct, predicted = np.empty((len(grid), len(count))), np.empty((len(grid), len(count)))
    for i, threshold in enumerate(grid):
        above = expit((logits - threshold) / _THRESHOLD_WIDTH)
        correct[i], predicted[i] = (above * is_label).sum(axis=0), above.sum(axis=0)
    # An average label, per example of it.
    average_correct = (correct[:, has_examples] / count[has_examples]).mean(axis=1)
    average_predicted = (predicted[:, has_examples] / count[has_examples]).mean(axis=1)
    f1 = 2.0 * (correct + _AVERAGE_EXAMPLES * average_correct[:, None])
    f1 /= predicted + count + _AVERAGE_EXAMPLES * (average_predicted[:, None] + 1.0)
    thresholds: np.ndarray = grid[f1.argmax(axis=0)]
    return thresholds


def _spread_rows(keys: np.ndarray, limit: int) -> np.ndarray:
    """At most ``limit`` rows, spread evenly over their keys, whatever the order in which they were given."""
    order = np.argsort(keys, kind="stable")
    if len(order) <= limit:
        return order
    rows: np.ndarray = order[np.linspace(0, len(order) - 1, limit).astype(int)]
    return rows
