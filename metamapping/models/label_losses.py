"""Label losses: the binary cross-entropy of texts that have any number of labels.

    losses = label_losses(logits, label_sets, query_weights, label_mask)

Notation: ``S`` splits, ``N`` texts, ``C`` labels.
"""

from __future__ import annotations

import tensorflow as tf

# Newton's method on one number, whose steps are limited where the loss is nearly flat.
_OFFSET_ITERATIONS, _MAX_STEP = 8, 2.0


def label_losses(
    logits: tf.Tensor, label_sets: tf.Tensor, query_weights: tf.Tensor, label_mask: tf.Tensor
) -> tf.Tensor:
    """Compute the binary cross-entropy of each text, summed over the labels of each split.

    How frequent labels are is not for the encoder to learn: adaptation fits an offset of the logits to the
    examples of a task. So the offset of each split is the one with the lowest loss. By the envelope theorem
    the gradient through it is zero.

    Args:
        logits: ``(S, N, C)``.
        label_sets: ``(N, C)``, 1 at the labels of each text.
        query_weights: ``(S, N)``; the texts of weight 0 do not take part in fitting the offset.
        label_mask: ``(S, C)``.

    Returns:
        ``(S, N)``.
    """
    weights = query_weights[..., None] * label_mask[..., None, :]
    offset = tf.stop_gradient(_best_offset(logits, label_sets, weights))
    targets = label_sets + tf.zeros_like(logits)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(targets, logits + offset)
    return tf.reduce_sum(losses * label_mask[..., None, :], axis=-1)


def _best_offset(logits: tf.Tensor, label_sets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The offset of the logits of each split with the lowest weighted loss: ``(S, 1, 1)``."""
    axes = (-2, -1)
    total = tf.reduce_sum(weights, axis=axes, keepdims=True)
    mean = (tf.reduce_sum(weights * label_sets, axis=axes, keepdims=True) + 1.0) / (total + 2.0)
    offset = tf.math.log(mean / (1.0 - mean))
    for _ in range(_OFFSET_ITERATIONS):
        p = tf.sigmoid(logits + offset)
        slope = tf.reduce_sum(weights * (label_sets - p), axis=axes, keepdims=True)
        curvature = tf.reduce_sum(weights * p * (1.0 - p), axis=axes, keepdims=True)
        offset += tf.clip_by_value(slope / tf.maximum(curvature, 1e-3), -_MAX_STEP, _MAX_STEP)
    return offset
