"""Word views: what the states of a word's pieces become, in TensorFlow.

    sums = piece_sums(last, lower, word_of, num_words=tf.shape(piece_counts)[0])
    features = word_views(sums, piece_counts)       # float32 (N, NUM_WORD_VIEWS * dim)

``models.encoder`` says what the views are, ``runtime.encoder`` computes the same in NumPy.
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.view_layout import LOWER_WORD_WEIGHT, NUM_WORD_VIEWS


def piece_sums(last: tf.Tensor, lower: tf.Tensor, word_of: tf.Tensor, *, num_words: tf.Tensor) -> tf.Tensor:
    """The sums of the states of each word's pieces.

    Args:
        last: States of the last layer, float32 ``(B, L, dim)``.
        lower: States of the lower layer, float32 ``(B, L, dim)``.
        word_of: Int ``(B, L)``, the word that a token is a piece of, -1 for none.
        num_words: ``N``.

    Returns:
        Float32 ``(N, NUM_WORD_VIEWS * dim)``.
    """
    return tf.math.unsorted_segment_sum(tf.concat([last, lower], axis=-1), word_of, num_words)


def word_views(sums: tf.Tensor, piece_counts: tf.Tensor) -> tf.Tensor:
    """The views of words.

    Args:
        sums: As ``piece_sums`` returns them.
        piece_counts: Float32 ``(N,)``, the number of pieces of each word.

    Returns:
        Float32 ``(N, NUM_WORD_VIEWS * dim)``. The first view has unit length; the squared length of the
        second is its weight in the kernel. Words without pieces are zeros.
    """
    means = tf.split(sums / tf.maximum(piece_counts, 1.0)[:, None], NUM_WORD_VIEWS, axis=-1)
    last, lower = (tf.math.l2_normalize(mean, axis=-1) for mean in means)
    return tf.concat([last, tf.sqrt(LOWER_WORD_WEIGHT) * lower], axis=-1)
