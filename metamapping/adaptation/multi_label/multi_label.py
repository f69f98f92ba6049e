"""Several labels a text: ridge regression on the labels of a text, each label by itself.

The features, the kernel and the scores of the label names are those of ordinary tasks. The targets are 1 for
the labels of a text and 0 for all others, and each label's column is solved by itself, so that a label's
score depends on another label only through the names, which are centred over the labels as everywhere. The
weight of the names α, λ and the views are fitted by the likelihood of left-out labels, each label of a text
being one outcome. Figures: benchmarks/README.md.

    solution = solve_columns(learned, name_features, support)

Which labels the scores of a text give it is decided in ``label_decisions``.

Notation: ``N`` texts, ``C`` labels, ``d`` the width of one view; ``R`` and ``A`` values of λ and α.
"""

from __future__ import annotations

import itertools

import numpy as np

from metamapping.adaptation.algebra.fitting_subset import spread_rows
from metamapping.adaptation.algebra.solution import Solution, view_roots
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.multi_label.label_sigmoids import fit_shared
from metamapping.models.probabilities import softmax
from metamapping.models.solvers.solver_constants import MAX_ITEMS, TEXT_RIDGE_FACTORS
from metamapping.models.solvers.vector_layout import ALPHA_GRID
from metamapping.runtime.mapping import LearnedHyperparameters, LearnedMapping

# At most this many left-out outcomes (texts times labels) are used to choose among the grid's 120 points.
_MAX_OUTCOMES = 10_000
_MIN_VIEW_PROBABILITY = 1e-6
# Newton steps at each of them.
_GRID_ITERATIONS = 6


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
    rows = spread_rows(support.features[:, 0], min(MAX_ITEMS, max(2, _MAX_OUTCOMES // num_labels)))
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
            *_, log_posterior[s, r] = fit_shared(
                scores, targets, learned.inverse_temperature, num_iterations=_GRID_ITERATIONS
            )
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
