"""Runtime solution: computes a task's mapping in NumPy, for an encoder that was loaded without TensorFlow.

The result is that of ``adaptation.algebra.closed_form``, up to rounding; tests compare the two for every
solver.

    solution = solve(mapping, name_features, is_outside, support)

Notation: ``N`` items, ``C`` labels, ``d`` the width of one view, ``width`` that of all views; ``H`` the
features with a constant 1 appended; α the weight of the prior, λ the ridge.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metamapping.adaptation.algebra.fitting_subset import fitting_subset
from metamapping.adaptation.algebra.ridge_regression import regress
from metamapping.adaptation.algebra.runtime_fit import fit_text_hyperparameters
from metamapping.adaptation.algebra.solution import Solution, view_roots
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.algebra.word_weights import word_roots
from metamapping.models.probabilities import softmax
from metamapping.models.solvers.solver_constants import NUM_STEPS
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
    balance = None
    if is_ner:
        ridge, balance = learned.word_ridge, word_roots(support.targets)
        if mapping.solver == "ridge":
            alpha, ridge = _fit_words(support, balance, wide, replace(learned, ridge=ridge))
    elif mapping.solver == "ridge":
        subset, labels = fitting_subset(support, prior.shape[1])
        fitted = fit_text_hyperparameters(subset.features, subset.targets, prior[:, labels], learned)
        alpha, ridge, views = fitted[0], fitted[1], _plain(fitted[2])
    weighted_prior = np.float32(alpha) * wide
    return Solution(regress(support, weighted_prior, ridge, views, balance), weighted_prior, ridge, views)


def _plain(views: np.ndarray) -> tuple[float, ...]:
    return tuple(float(weight) for weight in views)


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
        weights = weights + step_size * (H.T @ (one_hot - softmax(tau * (H @ weights))))
    return weights
