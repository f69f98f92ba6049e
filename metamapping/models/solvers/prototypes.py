"""Prototypes: the nearest mean, beside the prior.

Snell, Swersky, Zemel, "Prototypical Networks for Few-shot Learning", 2017: with squared Euclidean
distances it is linear, ``−‖x − m_c‖² = 2 x·m_c − ‖m_c‖² + (what all labels share)``.
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.solvers.support_set import Strengths, SupportSet
from metamapping.models.solvers.views import over_views


@over_views
def prototypes(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """``α P + [2 m_c; −‖m_c‖²]``, centred over the labels that have examples; ``(..., d + 1, C)``."""
    members = tf.one_hot(support.targets, prior.shape[-1], dtype=prior.dtype) * support.mask[..., None]
    count = tf.reduce_sum(members, axis=-2)[..., None, :]
    total = tf.matmul(support.features, members, transpose_a=True)
    means = total / tf.maximum(count, 1.0)
    weights = tf.concat([2.0 * means, -tf.reduce_sum(means**2, axis=-2, keepdims=True)], axis=-2)
    present = tf.cast(count > 0, prior.dtype)
    centre = tf.reduce_sum(weights, axis=-1, keepdims=True)
    centre /= tf.maximum(tf.reduce_sum(present, axis=-1, keepdims=True), 1.0)
    alpha = tf.where(support.is_empty, tf.ones_like(strengths.alpha), strengths.alpha)
    return alpha * prior + (weights - centre) * present
