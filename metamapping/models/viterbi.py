"""Viterbi decoding: the labels of a sentence's words chosen jointly, with a penalty for each entity.

Chosen word by word, every doubtful word becomes an entity of its own. Viterbi, "Error bounds for
convolutional codes and an asymptotically optimum decoding algorithm", 1967, with scores instead of
probabilities: the result maximizes the sum of the words' scores minus ``ENTITY_PENALTY`` for each entity that
begins. The figures: docs/experiments/decoding.md.

    slots = decode_words(scores)      # of one sentence, "outside" at slot 0
"""

from __future__ import annotations

import numpy as np

# In units of the scores, whose targets are one-hot labels. The best of 0.10, 0.15 and 0.20 on a validation
# source: docs/experiments/decoding.md.
ENTITY_PENALTY = 0.15


def decode_words(scores: np.ndarray, *, entity_penalty: float = ENTITY_PENALTY) -> np.ndarray:
    """The label slots of one sentence's words.

    Args:
        scores: ``(num_words, num_labels)``, "outside" at slot 0.
        entity_penalty: Subtracted wherever an entity begins, in units of the scores.

    Returns:
        Int64 ``(num_words,)``.
    """
    num_words, num_labels = scores.shape
    if not num_words:
        return np.zeros(0, np.int64)
    penalties = np.full(num_labels, entity_penalty)
    penalties[0] = 0.0
    slots, came_from = np.arange(num_labels), np.zeros((num_words, num_labels), np.int64)
    total = scores[0] - penalties
    for word in range(1, num_words):
        # A word either continues its label or begins it after the best label of the previous word.
        best = int(total.argmax())
        begun = total[best] - penalties
        continues = total >= begun
        came_from[word] = np.where(continues, slots, best)
        total = scores[word] + np.where(continues, total, begun)
    path = np.zeros(num_words, np.int64)
    path[-1] = total.argmax()
    for word in range(num_words - 1, 0, -1):
        path[word - 1] = came_from[word, path[word]]
    return path
