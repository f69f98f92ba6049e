"""Runtime solution: computes a task's mapping in NumPy, for an encoder that was loaded without TensorFlow.

The result is that of ``adaptation.closed_form``, up to rounding; the two are held against each other by tests
for every solver.

    solution = solve(mapping, name_features, is_outside, support)

Notation: ``N`` items, ``C`` labels, ``d`` the width of one view, ``width`` that of all views; ``H`` the
features with a constant 1 appended; α the weight of the prior, λ the ridge.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array
from scipy.special import softmax

from metamapping.adaptation.fitting_subset import fitting_subset
from metamapping.adaptation.runtime_fit import fit_text_hyperparameters
from metamapping.adaptation.solution import Solution, view_roots
from metamapping.adaptation.support import Support
from metamapping.models.solvers.solver_constants import NUM_STEPS, WORD_BALANCE
from metamapping.models.solvers.word_ridge import fit_word_hyperparameters
from metamapping.runtime.mapping import LearnedHyperparameters, LearnedMapping

_MIN_VIEW_WEIGHT = 1e-6


def solve(
    mapping: LearnedMapping, name_features: np.ndarray, is_outside: np.ndarray, support: Support
) -> Solution:
    """Compute the mapping of a task.

    Args:
        mapping: The meta-learned mapping.
        name_features: Float32 ``(C, d)``, features of the label names.
        is_outside: Bool ``(C,)``, true for the label "outside" of ``ner``.
        support: The task's examples. Without any, the result is the prior (zero-shot).
    """
    learned, is_ner = mapping.hyperparameters, bool(is_outside.any())
    prior = mapping.prior(mapping.label_vectors(name_features, is_outside))
    wide = np.zeros((support.features.shape[1] + 1, prior.shape[1]), np.float32)
    wide[: len(prior) - 1], wide[-1] = prior[:-1], prior[-1]
    views = () if is_ner else _plain(learned.views)
    if not len(support.features):
        return Solution(wide, wide, learned.ridge, views)
    if mapping.solver not in ("ridge", "plain-ridge"):
        solver = _prototypes if mapping.solver == "prototypes" else _gradient
        roots = view_roots(tuple(max(view, _MIN_VIEW_WEIGHT) for view in views), support.features.shape[1])
        weights = solver(support.features * roots, support.targets, wide, learned)
        weights[:-1] *= roots[:, None]
        return Solution(weights, wide, None, views)
    alpha, ridge = learned.alpha, learned.ridge
    word_roots = None
    if is_ner:
        ridge, word_roots = learned.word_ridge, _word_roots(support.targets)
        if mapping.solver == "ridge":
            alpha, ridge = _fit_words(support, word_roots, wide, replace(learned, ridge=ridge))
    elif mapping.solver == "ridge":
        subset, labels = fitting_subset(support, prior.shape[1])
        fitted = fit_text_hyperparameters(subset.features, subset.targets, prior[:, labels], learned)
        alpha, ridge, views = fitted[0], fitted[1], _plain(fitted[2])
    weighted_prior = np.float32(alpha) * wide
    return Solution(_regress(support, weighted_prior, ridge, views, word_roots), weighted_prior, ridge, views)


def _plain(views: np.ndarray) -> tuple[float, ...]:
    return tuple(float(weight) for weight in views)


def _word_roots(targets: np.ndarray) -> np.ndarray:
    """Square roots of the words' weights, float32 ``(N,)``: see ``models.solvers.support_set``."""
    weights = np.bincount(targets)[targets].astype(np.float32) ** -WORD_BALANCE
    roots: np.ndarray = np.sqrt(weights * (len(weights) / weights.sum()))
    return roots


def _fit_words(
    support: Support, roots: np.ndarray, prior: np.ndarray, learned: LearnedHyperparameters
) -> tuple[float, float]:
    return fit_word_hyperparameters(
        support.features,
        support.targets,
        support.offsets,
        roots,
        prior,
        alpha=learned.alpha,
        alpha_spread=learned.alpha_spread,
        ridge=learned.ridge,
        inverse_temperature=learned.inverse_temperature,
    )


def _regress(
    support: Support,
    prior: np.ndarray,
    ridge: float,
    views: tuple[float, ...],
    word_roots: np.ndarray | None,
) -> np.ndarray:
    """``argmin_V Σ_i m_i² ‖h_i V − y_i‖² + λ ‖V − α P‖²``; ``word_roots`` is m, for texts 1.

    ``prior``: α P, ``(width + 1, C)``. In the primal form the labels are summed instead of written as a
    one-hot matrix, since items × labels may be very many. The constant feature of words is not learned, but
    it still contributes to the prior's scores.
    """
    targets, (width, num_labels) = support.targets, prior.shape
    mask = np.ones(len(targets), np.float32) if word_roots is None else word_roots
    roots = np.append(view_roots(views, width - 1), np.float32(1.0))
    basis = np.empty((len(targets), width), np.float32)
    basis[:, :-1], basis[:, -1] = support.features, 1.0 if word_roots is None else 0.0
    basis *= mask[:, None]
    basis *= roots
    constant = np.zeros_like(mask) if word_roots is None else mask
    if len(basis) < width:
        centred = _one_hot(targets, num_labels) - np.float32(1 / num_labels)
        residual = mask[:, None] * centred - basis @ prior - np.outer(constant, prior[-1])
        change = basis.T @ _solve_shifted(basis @ basis.T, residual, ridge)
    else:
        labels = csr_array((mask, (targets, np.arange(len(targets)))), (num_labels, len(targets)))
        label_sums, gram = (labels @ basis).T, basis.T @ basis
        prior_part = gram @ prior + np.outer(basis.T @ constant, prior[-1])
        centred_sums = label_sums - label_sums.mean(axis=1, keepdims=True)
        change = _solve_shifted(gram, centred_sums - prior_part, ridge)
    regressed: np.ndarray = prior + roots[:, None] * change
    return regressed.astype(np.float32)


def _solve_shifted(gram: np.ndarray, right: np.ndarray, ridge: float) -> np.ndarray:
    """``(gram + λI)⁻¹ right`` by one Cholesky factorization."""
    solved: np.ndarray = cho_solve(cho_factor(gram + ridge * np.eye(len(gram), dtype=gram.dtype)), right)
    return solved


def _one_hot(targets: np.ndarray, num_labels: int) -> np.ndarray:
    one_hot: np.ndarray = (targets[:, None] == np.arange(num_labels)).astype(np.float32)
    return one_hot


def _prototypes(
    features: np.ndarray, targets: np.ndarray, prior: np.ndarray, learned: LearnedHyperparameters
) -> np.ndarray:
    """``α P + [2 m_c; −‖m_c‖²]``, the second part centred over the labels that have examples."""
    members = _one_hot(targets, prior.shape[1])
    count = members.sum(axis=0)
    means = (features.T @ members) / np.maximum(count, 1.0)
    weights = np.concatenate([2.0 * means, -(means**2).sum(axis=0, keepdims=True)])
    has_examples = (count > 0).astype(np.float32)
    centre = weights.sum(axis=1, keepdims=True) / max(has_examples.sum(), 1.0)
    shrunk: np.ndarray = np.float32(learned.alpha) * prior + (weights - centre) * has_examples
    return shrunk


def _gradient(
    features: np.ndarray, targets: np.ndarray, prior: np.ndarray, learned: LearnedHyperparameters
) -> np.ndarray:
    """``V ← V + η Hᵀ (one-hot − softmax(τ H V))`` from P, see ``models.solvers.gradient``."""
    H = np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)
    tau, one_hot, weights = np.float32(learned.inverse_temperature), _one_hot(targets, prior.shape[1]), prior
    step_size = np.float32(2.0 / (learned.ridge + tau * (H**2).sum() / 2.0))
    for _ in range(NUM_STEPS):
        weights = weights + step_size * (H.T @ (one_hot - softmax(tau * (H @ weights), axis=-1)))
    return weights
