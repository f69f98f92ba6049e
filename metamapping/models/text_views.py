"""Text views: what the states of a text's tokens become, in TensorFlow.

    features = text_views(last, lower, pool)        # float32 (B, NUM_VIEWS * dim)

``models.encoder`` says what the views are, ``runtime.graphs`` computes the same in ONNX.
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.view_layout import NUM_BEGINNING_STATES


def text_views(last: tf.Tensor, lower: tf.Tensor, pool: tf.Tensor) -> tf.Tensor:
    """The views of texts.

    Args:
        last: States of the last layer, float32 ``(B, L, dim)``.
        lower: States of the lower layer, float32 ``(B, L, dim)``.
        pool: Float32 ``(B, L)``, 1 for the tokens that a text's views are means of.

    Returns:
        Float32 ``(B, NUM_VIEWS * dim)``; each view has unit length.
    """
    beginning = pool * tf.cast(tf.cumsum(pool, axis=1) <= NUM_BEGINNING_STATES, pool.dtype)
    views = [_mean(last, pool), _mean(lower, pool), _mean(lower, beginning)]
    return tf.concat(views, axis=-1)


def _mean(states: tf.Tensor, pool: tf.Tensor) -> tf.Tensor:
    """The mean of the states where ``pool`` is 1, at unit length: ``(B, dim)``."""
    total = tf.reduce_sum(states * pool[..., None], axis=1)
    mean = total / tf.maximum(tf.reduce_sum(pool, axis=1, keepdims=True), 1.0)
    return tf.math.l2_normalize(mean, axis=-1)
