"""Prototypes: classification by the nearest class mean, added to the prior.

Snell, Swersky, Zemel, "Prototypical Networks for Few-shot Learning", 2017: with squared Euclidean
distances it is a linear classifier, ``−‖x − m_c‖² = 2 x·m_c − ‖m_c‖² − ‖x‖²``, and the last term is the same
for all labels.

    weights = prototypes(support, prior, hyperparameters)
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.solvers.hyperparameters import Hyperparameters
from metamapping.models.solvers.support_set import SupportSet
from metamapping.models.solvers.views import with_weighted_views


@with_weighted_views
def prototypes(support: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
    """``α P + [2 m_c; −‖m_c‖²]``, the second part centred over the labels that have examples.

    Args:
        support: The items of each task.
        prior: P, ``(..., d + 1, C)``.
        hyperparameters: ``alpha`` is used; it is 1 for a task without examples.

    Returns:
        V, ``(..., d + 1, C)``. A label without examples has its prior alone.
    """
    members = tf.one_hot(support.targets, prior.shape[-1], dtype=prior.dtype) * support.mask[..., None]
    count = tf.reduce_sum(members, axis=-2)[..., None, :]
    total = tf.matmul(support.features, members, transpose_a=True)
    means = total / tf.maximum(count, 1.0)
    weights = tf.concat([2.0 * means, -tf.reduce_sum(means**2, axis=-2, keepdims=True)], axis=-2)
    has_examples = tf.cast(count > 0, prior.dtype)
    centre = tf.reduce_sum(weights, axis=-1, keepdims=True)
    centre /= tf.maximum(tf.reduce_sum(has_examples, axis=-1, keepdims=True), 1.0)
    alpha = tf.where(support.is_empty, tf.ones_like(hyperparameters.alpha), hyperparameters.alpha)
    return alpha * prior + (weights - centre) * has_examples
