"""Contrastive loss: texts are drawn to the texts and the name of their own label, away from those of others.

With many labels it teaches the layers more than the queries' cross-entropy through ridge regression, with few
labels less (docs/experiments/tuning.md).

    loss = contrastive_loss(features, name_features, targets)

Notation: ``N`` texts, ``C`` labels.
"""

from __future__ import annotations

import tensorflow as tf

# What similarities, which lie between -1 and 1, are divided by.
TEMPERATURE = 0.05
_NEVER = -1e9


def contrastive_loss(features: tf.Tensor, name_features: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """The mean cross-entropy of each text's choice of its own label, among all other texts and all names.

    Args:
        features: Vectors of the texts at unit length, float32 ``(N, dim)``.
        name_features: Vectors of all labels' names at unit length, float32 ``(C, dim)``.
        targets: Label slots, int32 ``(N,)``.

    Returns:
        A scalar.
    """
    num_texts, num_labels = tf.shape(features)[0], tf.shape(name_features)[0]
    keys = tf.concat([features, name_features], axis=0)
    is_same_label = targets[:, None] == tf.concat([targets, tf.range(num_labels)], axis=0)
    is_itself = tf.eye(num_texts, num_texts + num_labels, dtype=tf.float32)
    logits = tf.matmul(features, keys, transpose_b=True) / TEMPERATURE + _NEVER * is_itself
    # The name of a text's label is there, also where it is the label's only text.
    chosen = tf.cast(is_same_label, tf.float32) - is_itself
    log_p = chosen * tf.nn.log_softmax(logits)
    return -tf.reduce_mean(tf.reduce_sum(log_p, axis=-1) / tf.reduce_sum(chosen, axis=-1))
