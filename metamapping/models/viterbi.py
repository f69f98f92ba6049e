"""Viterbi decoding: the labels of a sentence's words chosen jointly, with a penalty for each entity.

Chosen word by word, every doubtful word becomes an entity of its own. Viterbi, "Error bounds for
convolutional codes and an asymptotically optimum decoding algorithm", 1967, with scores instead of
probabilities: the result maximizes the sum of the words' scores minus ``ENTITY_PENALTY`` for each entity that
begins. The figures: docs/experiments/decoding.md.

    slots = decode_words(scores)      # of one sentence, "outside" at slot 0
    entity_probabilities(scores, [(0, 2, 1)], scale=8.0)    # that its first two words are one of label 1
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    highest = scaled.max(axis=1)
    weights, going_on = np.exp(scaled - highest[:, None]), math.exp(-scale * entity_penalty)
    before, log_before = _weights_before(weights, highest, going_on)
    after, log_after = _weights_after(weights, highest, going_on)
    num_words = len(scaled)
    logs = []
    for first, end, slot in entities:
        others = np.arange(scaled.shape[1]) != slot
        log = log_before[first] - log_before[num_words] + scaled[first:end, slot].sum()
        factor = before[first, others].sum() * going_on
        if end < num_words:
            begun = np.where(np.arange(scaled.shape[1]) > 0, going_on, 1.0)
            factor *= (begun * weights[end] * after[end + 1])[others].sum()
            log += highest[end] + log_after[end + 1]
        logs.append(log + math.log(factor) if factor else -np.inf)
    return np.exp(np.minimum(logs, 0.0))


# The weights of sequences are products over many words: at each word they are divided by their sum, whose
# logarithm is kept. With a penalty for every label but the same one, a step takes the sum alone.


def _weights_before(
    weights: np.ndarray, highest: np.ndarray, going_on: float
) -> tuple[np.ndarray, np.ndarray]:
    """The weights of all sequences of the words before each word, by the label of the last.

    Before the first word everything is "outside".

    Args:
        weights: The exponentials of the words' scores minus the highest, ``(num_words, num_labels)``.
        highest: The highest score of each word.
        going_on: What the weight of a sequence is multiplied by where an entity begins.

    Returns:
        ``(num_words + 1, num_labels)``, divided by the exponentials of ``(num_words + 1,)``.
    """
    before, logs = np.zeros((len(weights) + 1, weights.shape[1])), np.zeros(len(weights) + 1)
    before[0, 0] = 1.0
    for word, own in enumerate(weights):
        step = going_on + (1.0 - going_on) * before[word]
        step[0] = 1.0
        step *= own
        total = step.sum()
        before[word + 1] = step / total
        logs[word + 1] = logs[word] + math.log(total) + highest[word]
    return before, logs


def _weights_after(
    weights: np.ndarray, highest: np.ndarray, going_on: float
) -> tuple[np.ndarray, np.ndarray]:
    """The weights of all sequences of the words from each word on, by the label of the word before.

    Args and what is returned: as for ``_weights_before``.
    """
    after, logs = np.ones((len(weights) + 1, weights.shape[1])), np.zeros(len(weights) + 1)
    for word in reversed(range(len(weights))):
        own = weights[word] * after[word + 1]
        begun = own[0] + going_on * own[1:].sum()
        step = begun + (1.0 - going_on) * own
        step[0] = begun
        total = step.sum()
        after[word] = step / total
        logs[word] = logs[word + 1] + math.log(total) + highest[word]
    return after, logs
