"""Runtime fit: α, λ and the weights of the views of one task of texts, in NumPy.

It computes what ``models.solvers.fitted_ridge`` computes in TensorFlow for many tasks at once; tests
compare the two. The eigenvalues of a kernel give its inverse for every λ.

    alpha, ridge, views = fit_text_hyperparameters(features, targets, prior, mapping.hyperparameters)

Notation: ``N`` items, ``C`` labels; ``R`` and ``A`` values of λ and α in the grid.
"""

from __future__ import annotations

import itertools

import numpy as np

from metamapping.adaptation.algebra.folds import folds_of
from metamapping.models.probabilities import logsumexp, softmax
from metamapping.models.solvers.solver_constants import (
    INVERSE_TEMPERATURE_FACTORS,
    MAX_EFFECTIVE_LABELS,
    TEXT_RIDGE_FACTORS,
)
from metamapping.models.solvers.vector_layout import ALPHA_GRID
from metamapping.runtime.mapping import LearnedHyperparameters

_MIN_VIEW_PROBABILITY = 1e-6


def fit_text_hyperparameters(
    features: np.ndarray, targets: np.ndarray, prior: np.ndarray, learned: LearnedHyperparameters
) -> tuple[float, float, np.ndarray]:
    """The grid's posterior mean of α and the views' weights, and the geometric one of λ.

    Args:
        features: ``(N, V * d)``, the views side by side.
        targets: Label slots, int ``(N,)``.
        prior: P of the first view, ``(d + 1, C)``.
        learned: The meta-learned hyperparameters.

    Returns:
        α, λ and the weights of the views after the first, ``(V - 1,)``: the learned ones where no label has
        two examples, since nothing is evidence then.
    """
    is_evidence = np.bincount(targets, minlength=prior.shape[1])[targets] > 1
    if not is_evidence.any():
        return learned.alpha, learned.ridge, learned.views
    views = np.split(features.astype(np.float64), 1 + len(learned.views), axis=1)
    prior_scores = views[0] @ prior[:-1] + prior[-1]
    # Targets and prior scores are solved for together: the dual is linear in α.
    right = np.concatenate([_centred(targets, prior.shape[1]), prior_scores], axis=1)
    blocks = _blocks(folds_of(features, targets))
    grams = [view @ view.T for view in views]
    subsets = np.asarray(list(itertools.product((0.0, 1.0), repeat=len(learned.views))))
    log_posterior = np.empty((len(subsets), len(TEXT_RIDGE_FACTORS), len(ALPHA_GRID)))
    for s, subset in enumerate(subsets):
        gram = 1.0 + grams[0] + sum(weight * each for weight, each in zip(subset, grams[1:], strict=True))
        left_out = _left_out(gram, right, blocks, learned.ridge)
        log_posterior[s] = _log_likelihood(left_out, targets, is_evidence, learned.inverse_temperature)
    log_posterior += _log_prior(subsets, learned)
    posterior = softmax(log_posterior.ravel()).reshape(log_posterior.shape)
    log_factor = (posterior.sum(axis=(0, 2)) * np.log(TEXT_RIDGE_FACTORS)).sum()
    return (
        float((posterior * ALPHA_GRID).sum()),
        learned.ridge * float(np.exp(log_factor)),
        (posterior.sum(axis=(1, 2)) @ subsets).astype(np.float32),
    )


def _centred(targets: np.ndarray, num_labels: int) -> np.ndarray:
    centred: np.ndarray = np.eye(num_labels)[targets] - 1.0 / num_labels
    return centred


def _blocks(folds: np.ndarray) -> list[np.ndarray]:
    """The items of each fold, those of folds of one size together: ``(num_folds, size)`` each."""
    order, counts = np.argsort(folds, kind="stable"), np.bincount(folds)
    members = np.split(order, np.cumsum(counts)[:-1])
    sizes = sorted({len(each) for each in members} - {0})
    return [np.stack([each for each in members if len(each) == size]) for size in sizes]


def _left_out(gram: np.ndarray, right: np.ndarray, blocks: list[np.ndarray], ridge: float) -> np.ndarray:
    """Scores of each item by the mapping of all other folds, for every λ and α: ``(R, A, N, C)``.

    Of the kernel's inverse only the block of each fold is needed, and computed.
    """
    num_labels = right.shape[1] // 2
    values, vectors = np.linalg.eigh(gram)
    rotated, centred = vectors.T @ right, right[:, :num_labels]
    scores = np.empty((len(TEXT_RIDGE_FACTORS), len(ALPHA_GRID), *centred.shape), np.float32)
    for r, factor in enumerate(TEXT_RIDGE_FACTORS):
        inverse_values = 1.0 / (np.maximum(values, 0.0) + factor * ridge)
        dual = vectors @ (inverse_values[:, None] * rotated)
        residuals = np.empty_like(dual)
        for block in blocks:
            V = vectors[block]
            inverse = (V * inverse_values) @ V.transpose(0, 2, 1)
            residuals[block] = np.linalg.solve(inverse, dual[block])
        for a, alpha in enumerate(ALPHA_GRID):
            scores[r, a] = centred - residuals[:, :num_labels] + alpha * residuals[:, num_labels:]
    return scores


def _log_likelihood(
    scores: np.ndarray, targets: np.ndarray, is_evidence: np.ndarray, inverse_temperature: float
) -> np.ndarray:
    """The log likelihood of left-out labels, summed over multiples of τ: ``(R, A)``."""
    rows, num_labels = np.flatnonzero(is_evidence), scores.shape[-1]
    scores = scores[:, :, rows]
    scores -= scores.max(axis=-1, keepdims=True)
    own = scores[:, :, np.arange(len(rows)), targets[rows]]
    likelihoods = []
    for factor in INVERSE_TEMPERATURE_FACTORS:
        scale = np.float32(factor * inverse_temperature)
        exponentials = scale * scores
        np.exp(exponentials, out=exponentials)
        log_p = scale * own - np.log(exponentials.sum(axis=-1))
        likelihoods.append(log_p.sum(axis=-1, dtype=np.float64))
    exponent = MAX_EFFECTIVE_LABELS / max(num_labels, MAX_EFFECTIVE_LABELS)
    total: np.ndarray = logsumexp(exponent * np.stack(likelihoods), axis=0)
    return total


def _log_prior(subsets: np.ndarray, learned: LearnedHyperparameters) -> np.ndarray:
    """The log prior of every subset of the views, λ and α, up to a constant: ``(W, R, A)``."""
    distance = ((np.asarray(ALPHA_GRID) - learned.alpha) / learned.alpha_spread) ** 2
    distance = distance + ((np.log(TEXT_RIDGE_FACTORS) / learned.ridge_spread) ** 2)[:, None]
    views = np.clip(learned.views.astype(np.float64), _MIN_VIEW_PROBABILITY, 1.0 - _MIN_VIEW_PROBABILITY)
    log_views = subsets @ np.log(views) + (1.0 - subsets) @ np.log1p(-views)
    log_prior: np.ndarray = log_views[:, None, None] - 0.5 * distance
    return log_prior
