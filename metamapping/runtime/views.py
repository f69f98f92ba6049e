"""Views of words, and vectors of unit length, in NumPy."""

from __future__ import annotations

import numpy as np

from metamapping.models.view_layout import LENGTH_EPSILON, LOWER_WORD_WEIGHT


def word_views(
    last: np.ndarray, lower: np.ndarray, word_of: np.ndarray, piece_counts: np.ndarray
) -> np.ndarray:
    """The views of words: means over their pieces.

    The first has unit length; the squared length of the second is its weight in the kernel. Words without
    pieces are zeros.

    Args:
        last: States of the last layer, float32 ``(num_texts, length, dim)``.
        lower: States of the lower view, of the same shape.
        word_of: The word that each token is a piece of, ``(num_texts, length)``; negative for none.
        piece_counts: Number of pieces of each word, ``(N,)``.

    Returns:
        Float32 ``(N, NUM_WORD_VIEWS * dim)``.
    """
    is_piece = word_of >= 0
    words, counts = word_of[is_piece], np.maximum(piece_counts, 1.0)[:, None]
    # The pieces of a word lie side by side, and the words are in order.
    firsts = np.flatnonzero(np.diff(words, prepend=-1))
    views = []
    for states in (last, lower):
        sums = np.zeros((len(piece_counts), states.shape[-1]), np.float32)
        if len(words):
            sums[words[firsts]] = np.add.reduceat(states[is_piece], firsts, axis=0)
        views.append(unit_length(sums / counts))
    return np.concatenate([views[0], np.float32(np.sqrt(LOWER_WORD_WEIGHT)) * views[1]], axis=-1)


def unit_length(vectors: np.ndarray, epsilon: float = LENGTH_EPSILON) -> np.ndarray:
    """Vectors along the last axis, divided by their lengths.

    Args:
        vectors: Float ``(..., dim)``.
        epsilon: Squared lengths below this are raised to it.

    Returns:
        As ``vectors``; a vector of zeros stays one.
    """
    squares = np.maximum((vectors * vectors).sum(axis=-1, keepdims=True), np.float32(epsilon))
    unit: np.ndarray = vectors / np.sqrt(squares)
    return unit
