"""Plain ridge: ridge regression in closed form, shrunk towards the learned prior."""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.solvers.support_set import Strengths, SupportSet, of_words
from metamapping.models.solvers.views import over_views


@over_views
def plain_ridge(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """Ridge regression on the centred labels with the learned α and λ: ``(..., d + 1, C)``."""
    if not support.is_independent:
        support, strengths = of_words(support, strengths)
    return regress(support, support.Y, prior, strengths)


def regress(support: SupportSet, targets: tf.Tensor, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """``argmin_V Σ_i m_i² ‖h_i V − y_i‖² + λ ‖V − α P‖²``; its columns do not depend on one another.

    That is ``α P + Hᵀ (H Hᵀ + λI)⁻¹ (Y − α H P)``, solved in this dual form, or in the primal where items
    outnumber features. Of words the bias stays the prior's. ``targets``: Y, ``(..., N, columns)``.
    ``prior``: P, ``(..., d + 1, columns)``.
    """
    H, B, mask = support.H, support.basis, support.mask[..., None]
    prior = tf.where(support.is_empty, tf.ones_like(strengths.alpha), strengths.alpha) * prior
    residual = mask * (targets - tf.matmul(H, prior))
    if H.shape[-2] <= H.shape[-1]:
        gram = tf.matmul(B, B, transpose_b=True) * mask * tf.linalg.matrix_transpose(mask)
        return prior + tf.matmul(B, mask * solve_shifted(gram, residual, strengths.ridge), transpose_a=True)
    masked = mask * B
    gram = tf.matmul(masked, masked, transpose_a=True)
    return prior + solve_shifted(gram, tf.matmul(masked, residual, transpose_a=True), strengths.ridge)


def solve_shifted(gram: tf.Tensor, right: tf.Tensor, ridge: tf.Tensor) -> tf.Tensor:
    """``(gram + λI)⁻¹ right`` by one Cholesky factor; leading axes broadcast."""
    factor = tf.linalg.cholesky(gram + ridge * tf.eye(tf.shape(gram)[-1], dtype=gram.dtype))
    batch_shape = tf.broadcast_dynamic_shape(tf.shape(factor)[:-2], tf.shape(right)[:-2])
    factor = tf.broadcast_to(factor, tf.concat([batch_shape, tf.shape(factor)[-2:]], axis=0))
    right = tf.broadcast_to(right, tf.concat([batch_shape, tf.shape(right)[-2:]], axis=0))
    return tf.linalg.cholesky_solve(factor, right)
