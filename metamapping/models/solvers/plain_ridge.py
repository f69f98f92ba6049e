"""Plain ridge: ridge regression in closed form, shrunk towards the learned prior.

weights = plain_ridge(support, prior, hyperparameters)
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.solvers.hyperparameters import Hyperparameters
from metamapping.models.solvers.support_set import SupportSet, balance_words
from metamapping.models.solvers.views import with_weighted_views


@with_weighted_views
def plain_ridge(support: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
    """Ridge regression on the centred labels with the given α and λ.

    Args:
        support: The items of each task.
        prior: P, ``(..., d + 1, C)``.
        hyperparameters: ``alpha`` and ``ridge`` are used, ``word_ridge`` instead where items are words.

    Returns:
        V, ``(..., d + 1, C)``.
    """
    if not support.is_independent:
        support, hyperparameters = balance_words(support, hyperparameters)
    return regress(support, support.Y, prior, hyperparameters)


def regress(
    support: SupportSet, targets: tf.Tensor, prior: tf.Tensor, hyperparameters: Hyperparameters
) -> tf.Tensor:
    """``argmin_V Σ_i m_i² ‖h_i V − y_i‖² + λ ‖V − α P‖²``, column by column.

    The solution is ``α P + Hᵀ (H Hᵀ + λI)⁻¹ (Y − α H P)``. It is computed in this dual form, or in the
    primal form where items outnumber features. For words the bias stays that of the prior.

    Args:
        support: The items; its mask is m.
        targets: Y, ``(..., N, columns)``.
        prior: P, ``(..., d + 1, columns)``.
        hyperparameters: ``alpha`` and ``ridge`` are used; α is 1 for a task without examples.

    Returns:
        V, ``(..., d + 1, columns)``.
    """
    H, B, mask = support.H, support.basis, support.mask[..., None]
    alpha = tf.where(support.is_empty, tf.ones_like(hyperparameters.alpha), hyperparameters.alpha)
    prior = alpha * prior
    residual = mask * (targets - tf.matmul(H, prior))
    ridge = hyperparameters.ridge
    # A number of items that is not known when the step is compiled is one of a few.
    if H.shape[-2] is None or H.shape[-2] <= H.shape[-1]:
        gram = tf.matmul(B, B, transpose_b=True) * mask * tf.linalg.matrix_transpose(mask)
        return prior + tf.matmul(B, mask * solve_regularized(gram, residual, ridge), transpose_a=True)
    masked = mask * B
    gram = tf.matmul(masked, masked, transpose_a=True)
    return prior + solve_regularized(gram, tf.matmul(masked, residual, transpose_a=True), ridge)


def solve_regularized(gram: tf.Tensor, right: tf.Tensor, ridge: tf.Tensor) -> tf.Tensor:
    """``(gram + λI)⁻¹ right`` by one Cholesky factorization, which all solvers share.

    Args:
        gram: Positive semidefinite, ``(..., n, n)``.
        right: ``(..., n, columns)``; its leading axes broadcast with those of ``gram``.
        ridge: λ, positive; a scalar or ``(..., 1, 1)``.

    Returns:
        ``(..., n, columns)``.
    """
    factor = tf.linalg.cholesky(gram + ridge * tf.eye(tf.shape(gram)[-1], dtype=gram.dtype))
    batch_shape = tf.broadcast_dynamic_shape(tf.shape(factor)[:-2], tf.shape(right)[:-2])
    factor = tf.broadcast_to(factor, tf.concat([batch_shape, tf.shape(factor)[-2:]], axis=0))
    right = tf.broadcast_to(right, tf.concat([batch_shape, tf.shape(right)[-2:]], axis=0))
    return tf.linalg.cholesky_solve(factor, right)
