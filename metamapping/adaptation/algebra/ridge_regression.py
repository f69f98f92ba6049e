"""Ridge regression of one task towards its prior, in NumPy and SciPy.

The last step of ``closed_form``, whose encoder runs on TensorFlow, and of ``runtime_solution``, whose encoder
does not.

    weights = regress(support, prior, ridge, views, balance=None)

Notation: ``N`` items, ``C`` labels, ``width`` that of all views; α the weight of the prior, λ the ridge.
"""

from __future__ import annotations

import numpy as np

from metamapping.adaptation.algebra.solution import view_roots
from metamapping.adaptation.algebra.support import Support


def regress(
    support: Support,
    prior: np.ndarray,
    ridge: float,
    views: tuple[float, ...],
    balance: np.ndarray | None,
) -> np.ndarray:
    """``argmin_V Σ_i m_i² ‖h_i V − y_i‖² + λ ‖V − α P‖²``.

    In the primal form the labels are summed instead of written as a one-hot matrix, since items × labels may
    be very many. The constant feature of words is not learned, but it still contributes to the prior's
    scores.

    Args:
        support: The task's examples.
        prior: α P, float32 ``(width + 1, C)``, zero for all views but the first.
        ridge: λ.
        views: The kernel weights of the views after the first; empty for words.
        balance: m, the square roots of the words' weights; ``None`` for texts, whose weights are 1.

    Returns:
        V, float32 ``(width + 1, C)``.
    """
    targets, (width, num_labels) = support.targets, prior.shape
    mask = np.ones(len(targets), np.float32) if balance is None else balance
    roots = np.append(view_roots(views, width - 1), np.float32(1.0))
    basis = np.empty((len(targets), width), np.float32)
    basis[:, :-1], basis[:, -1] = support.features, 1.0 if balance is None else 0.0
    basis *= mask[:, None]
    basis *= roots
    constant = np.zeros_like(mask) if balance is None else mask
    if len(basis) < width:
        one_hot = (targets[:, None] == np.arange(num_labels)).astype(np.float32)
        centred = one_hot - np.float32(1 / num_labels)
        residual = mask[:, None] * centred - basis @ prior - np.outer(constant, prior[-1])
        change = basis.T @ _solve_shifted(basis @ basis.T, residual, ridge)
    else:
        from scipy.sparse import csr_array

        labels = csr_array((mask, (targets, np.arange(len(targets)))), (num_labels, len(targets)))
        label_sums, gram = (labels @ basis).T, basis.T @ basis
        prior_part = gram @ prior + np.outer(basis.T @ constant, prior[-1])
        centred_sums = label_sums - label_sums.mean(axis=1, keepdims=True)
        change = _solve_shifted(gram, centred_sums - prior_part, ridge)
    regressed: np.ndarray = prior + roots[:, None] * change
    return regressed.astype(np.float32)


def _solve_shifted(gram: np.ndarray, right: np.ndarray, ridge: float) -> np.ndarray:
    """``(gram + λI)⁻¹ right`` by one Cholesky factorization."""
    from scipy.linalg import cho_factor, cho_solve

    solved: np.ndarray = cho_solve(cho_factor(gram + ridge * np.eye(len(gram), dtype=gram.dtype)), right)
    return solved
