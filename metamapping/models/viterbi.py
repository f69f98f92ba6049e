"""Viterbi decoding: the labels of a sentence's words chosen jointly, with a penalty for each entity.

Chosen word by word, every doubtful word becomes an entity of its own. Viterbi, "Error bounds for
convolutional codes and an asymptotically optimum decoding algorithm", 1967, with scores instead of
probabilities: the result maximizes the sum of the words' scores minus ``ENTITY_PENALTY`` for each entity that
begins. The figures: docs/experiments/decoding.md.

    slots = decode_words(scores)      # of one sentence, "outside" at slot 0
    entity_probabilities(scores, [(0, 2, 1)], scale=8.0)    # that its first two words are one of label 1
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metamapping.models.probabilities import logsumexp

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


def entity_probabilities(
    scores: np.ndarray,
    entities: Sequence[tuple[int, int, int]],
    *,
    scale: float,
    entity_penalty: float = ENTITY_PENALTY,
) -> np.ndarray:
    """The probability of each entity of one sentence: that exactly these words form an entity of this label.

    ``decode_words`` returns the most probable of all sequences of labels, if the probability of a sequence is
    proportional to ``exp(scale * (sum of the words' scores - penalties))``. The probability of an entity is
    the sum over all sequences that have it, with another label before and after it, by the forward and
    backward recursions (Rabiner, "A tutorial on hidden Markov models", 1989, section III).

    Args:
        scores: ``(num_words, num_labels)``, "outside" at slot 0.
        entities: First word, word after the last, and label slot of each entity.
        scale: The inverse temperature of the scores.
        entity_penalty: As for ``decode_words``.

    Returns:
        Float64 ``(num_entities,)``, from 0 to 1.
    """
    if not entities:
        return np.zeros(0)
    scaled = scale * np.asarray(scores, np.float64)
    num_words, num_labels = scaled.shape
    steps = np.tile(-scale * entity_penalty * (np.arange(num_labels) > 0), (num_labels, 1))
    np.fill_diagonal(steps, 0.0)  # a label that goes on has no penalty
    # Logarithms of the weights of all sequences: of the words before ``i`` by the label of the last, and of
    # the words from ``i`` on by the label before them. Before the first word everything is "outside".
    before = np.full((num_words + 1, num_labels), -np.inf)
    before[0, 0] = 0.0
    for word in range(num_words):
        before[word + 1] = scaled[word] + logsumexp(before[word][:, None] + steps, axis=0)
    after = np.zeros((num_words + 1, num_labels))
    for word in reversed(range(num_words)):
        after[word] = logsumexp(steps + scaled[word] + after[word + 1], axis=1)
    total = logsumexp(before[num_words])
    logs = []
    for first, end, slot in entities:
        others = np.arange(num_labels) != slot
        left = logsumexp(before[first, others]) + steps[0, slot]
        right = 0.0
        if end < num_words:
            right = float(logsumexp((steps[slot] + scaled[end] + after[end + 1])[others]))
        logs.append(left + scaled[first:end, slot].sum() + right - total)
    return np.exp(np.minimum(logs, 0.0))
