"""Decoding: the labels of a sentence's words together, where each entity has its price.

Chosen word by word, every doubtful word is an entity of its own. Viterbi, "Error bounds for convolutional
codes and an asymptotically optimum decoding algorithm", 1967, on scores instead of probabilities: the sum of
the words' scores less ``ENTITY_COST`` for each entity begun. The figures: docs/decisions/decoding.md.

    slots = decode_words(scores)      # of one sentence, "outside" at slot 0
"""

from __future__ import annotations

import numpy as np

# In units of scores, of which one-hot labels are the targets.
ENTITY_COST = 0.15


def decode_words(scores: np.ndarray, *, cost: float = ENTITY_COST) -> np.ndarray:
    """Label slots ``(num_words,)`` from scores ``(num_words, num_labels)`` of one sentence."""
    num_words, num_labels = scores.shape
    if not num_words:
        return np.zeros(0, np.int64)
    prices = np.full(num_labels, cost)
    prices[0] = 0.0
    slots, came_from = np.arange(num_labels), np.zeros((num_words, num_labels), np.int64)
    total = scores[0] - prices
    for word in range(1, num_words):
        best = int(total.argmax())
        begun = total[best] - prices
        continues = total >= begun
        came_from[word] = np.where(continues, slots, best)
        total = scores[word] + np.where(continues, total, begun)
    path = np.zeros(num_words, np.int64)
    path[-1] = total.argmax()
    for word in range(num_words - 1, 0, -1):
        path[word - 1] = came_from[word, path[word]]
    return path
