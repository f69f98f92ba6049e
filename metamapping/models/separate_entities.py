"""Separate entities: the labels of a sentence's words where no entity directly follows another.

In most texts a word that is no entity stands between two entities. Then the ends of entities can be found
first, whatever their types, and the type of each entity by all of its words: single words may be more like
another type, as in the name of a band that begins with a first name. Each word is inside of an entity as much
as its best type is; the words inside are decoded as those of one label are (``viterbi``); and the type of an
entity is the one with the highest mean score over its words, by these scores or by others, which know nothing
but types. The figures: docs/experiments/whole-entities.md.

    slots = decode_separately(scores)               # of one sentence, "outside" at slot 0
    separate_probabilities(scores, [(0, 2, 1)], scale=8.0)    # that its first two words are one of label 1
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from metamapping.models.probabilities import softmax
from metamapping.models.viterbi import ENTITY_PENALTY, decode_words

# Up to this share of entities that directly follow one of another type, entities count as separate. It is
# 0.003 to 0.044 in validation sources of written language, and 0.23 in the slots of spoken commands.
MAX_ADJACENT_SHARE = 0.15


def are_separate(targets: np.ndarray, offsets: np.ndarray) -> bool:
    """Whether few entities of some sentences directly follow another one.

    Args:
        targets: Label slots of all words, int ``(num_words,)``, "outside" at slot 0.
        offsets: Sentence ``i`` has the words ``offsets[i]:offsets[i + 1]``.

    Returns:
        Also false if there are no entities, because nothing is known then.
    """
    starts = entity_starts(targets, offsets)
    num_adjacent = int((_previous(targets, offsets)[starts] > 0).sum())
    return bool(len(starts) and num_adjacent <= MAX_ADJACENT_SHARE * len(starts))


def entity_starts(targets: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The first word of each entity; neighbouring words of one label in one sentence are one entity.

    Args:
        targets: Label slots of all words, int ``(num_words,)``, "outside" at slot 0.
        offsets: Sentence ``i`` has the words ``offsets[i]:offsets[i + 1]``.

    Returns:
        Positions of words, ascending, ``(num_entities,)``.
    """
    return np.flatnonzero((targets > 0) & (targets != _previous(targets, offsets)))


def decode_separately(
    scores: np.ndarray, *, type_scores: np.ndarray | None = None, entity_penalty: float = ENTITY_PENALTY
) -> np.ndarray:
    """The label slots of one sentence's words, in which no entity directly follows another.

    Args:
        scores: ``(num_words, num_labels)``, "outside" at slot 0.
        type_scores: ``(num_words, num_labels - 1)``, by which types are chosen. Default: ``scores``.
        entity_penalty: As for ``decode_words``.

    Returns:
        Int64 ``(num_words,)``.
    """
    if scores.shape[1] < 2:
        return np.zeros(len(scores), np.int64)
    slots = decode_words(_outside_and_inside(scores), entity_penalty=entity_penalty)
    types = scores[:, 1:] if type_scores is None else type_scores
    for first, end in _runs(slots > 0):
        slots[first:end] = 1 + types[first:end].mean(axis=0).argmax()
    return slots


def separate_probabilities(
    scores: np.ndarray,
    entities: Sequence[tuple[int, int, int]],
    *,
    scale: float,
    type_scores: np.ndarray | None = None,
    entity_penalty: float = ENTITY_PENALTY,
) -> np.ndarray:
    """The probability of each entity of one sentence: of its ends, times that of its type given them.

    That of the ends is the marginal of the model by which they are found, as ``entity_probabilities`` has it.
    That of the type is the softmax over the types of the mean scores of its words.

    Args:
        scores: ``(num_words, num_labels)``, "outside" at slot 0.
        entities: First word, word after the last, and label slot of each entity.
        scale: The inverse temperature of the scores.
        type_scores: As for ``decode_separately``.
        entity_penalty: As for ``decode_words``.

    Returns:
        Float64 ``(num_entities,)``, from 0 to 1.
    """
    if not entities:
        return np.zeros(0)
    runs = [(first, end) for first, end, _ in entities]
    ends = _ends_probabilities(_outside_and_inside(scores), runs, scale=scale, entity_penalty=entity_penalty)
    of_types = scores[:, 1:] if type_scores is None else type_scores
    means = np.stack([of_types[first:end].mean(axis=0) for first, end, _ in entities])
    types = softmax(scale * means.astype(np.float64))
    slots = np.asarray([slot for _, _, slot in entities])
    probabilities: np.ndarray = ends * types[np.arange(len(slots)), slots - 1]
    return probabilities


def _ends_probabilities(
    scores: np.ndarray, runs: Sequence[tuple[int, int]], *, scale: float, entity_penalty: float
) -> np.ndarray:
    """What ``entity_probabilities`` computes, for two labels: without arrays in a tenth of the time.

    Args:
        scores: Of "outside" and "inside", ``(num_words, 2)``.
        runs: First word, and word after the last, of each entity.
        scale: The inverse temperature of the scores.
        entity_penalty: As for ``decode_words``.
    """
    # The product of two weights is the largest number: exp(709) is the last that there is.
    leads = np.clip(scale * np.subtract(scores[:, 1], scores[:, 0], dtype=np.float64), -300.0, 300.0)
    penalty = min(scale * entity_penalty, 300.0)
    odds, begins = np.exp(leads).tolist(), math.exp(-penalty)
    # The logarithms of the weights of all sequences of the words before each word, and of those from each
    # word on if the word before is outside. The weight of a word outside is one, so that the sequences that
    # end with it weigh as much as those of the words before it.
    before, inside = [0.0], 0.0
    for own in odds:
        weight = own * (begins + (1.0 - begins) * inside)
        inside = weight / (1.0 + weight)
        before.append(before[-1] + math.log1p(weight))
    after, factor = [0.0], 1.0  # by which they weigh more if the word before is inside
    for own in reversed(odds):
        weight = own * factor
        factor = (1.0 + weight) / (1.0 + begins * weight)
        after.append(after[-1] + math.log1p(begins * weight))
    after.reverse()
    sums = np.concatenate([[0.0], np.cumsum(leads)])
    around = [before[max(first - 1, 0)] + after[min(end + 1, len(odds))] for first, end in runs]
    own_weights = [sums[end] - sums[first] for first, end in runs]
    logs = np.add(around, own_weights) - before[-1] - penalty
    probabilities: np.ndarray = np.exp(np.minimum(logs, 0.0))
    return probabilities


def _previous(targets: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The label slot of the word before each word, "outside" before the first of a sentence."""
    previous = np.roll(targets, 1)
    previous[offsets[:-1][np.diff(offsets) > 0]] = 0
    return previous


def _outside_and_inside(scores: np.ndarray) -> np.ndarray:
    """The scores of "outside" and of the best type of each word: ``(num_words, 2)``."""
    return np.stack([scores[:, 0], scores[:, 1:].max(axis=1)], axis=1)


def _runs(is_inside: np.ndarray) -> Iterator[tuple[int, int]]:
    """First word, and word after the last, of all runs of words that are inside of an entity."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], is_inside.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
