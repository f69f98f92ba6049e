"""Sentence suggestion: which sentences of a ``ner`` pool to label next.

A sentence is seen as the mean of its words, of which those count most that may be entities. Sentences are
then chosen as texts are (``suggestion``): typical of the pool and unlike the examples; once there are
examples, the gain counts as much as the labels of the words that may be entities are undecided.

    suggested_sentences(featurizer, state, ["Eve moved to London.", "it rains"], num=1)[0].label
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metamapping.adaptation.entities import find_entities
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.inputs.inputs import read_ner_texts
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.suggestion import (
    Suggestion,
    allowed_items,
    are_new,
    gain_shares,
    kernel_given,
    most_informative,
)
from metamapping.corpus.tags import OUTSIDE

# Every word counts at least this much in its sentence.
_MIN_WEIGHT = 0.05


def suggested_sentences(featurizer: Featurizer, state: TaskState, texts: Any, num: int) -> list[Suggestion]:
    """Choose the sentences of a pool to label, with what the task predicts.

    Args:
        featurizer: Encodes the words.
        state: A ``ner`` task, with or without examples.
        texts: A column of strings, or of lists of words.
        num: How many to choose.

    Raises:
        ValueError: The texts cannot be read.
    """
    words, strings, bounds = read_ner_texts(texts)
    if not words:
        return []
    features, offsets = featurizer.words(words)
    is_allowed = (np.diff(offsets) > 0) & are_new(map(tuple, words), map(tuple, _known(state)))
    chosen, gains = suggest_sentences(state, features, offsets, num, is_allowed=is_allowed)
    suggestions = []
    for i, share in zip(chosen.tolist(), gain_shares(gains), strict=True):
        scores = state.word_scores(features[offsets[i] : offsets[i + 1]])
        probabilities = state.calibration.probabilities(scores.labels)
        sure = probabilities[np.arange(len(probabilities)), state.decode(scores)]
        text: Any = words[i] if strings is None else strings[i]
        label: Any = state.bio_tags(scores, None)
        if strings is not None:
            label = find_entities(state, strings[i], bounds[i], scores)
        suggestions.append(Suggestion(i, text, label, float(sure.min()), share))
    return suggestions


def _known(state: TaskState) -> list[Any]:
    """The words of the examples, but of those that were saved without them."""
    return [words for words in state.support.texts if words is not None]


def suggest_sentences(
    state: TaskState, features: np.ndarray, offsets: np.ndarray, num: int, *, is_allowed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the sentences to label.

    Args:
        state: A ``ner`` task, with or without examples.
        features: Float32 ``(num_words, word_dim)``, of all sentences.
        offsets: Where each sentence begins, ``(num_sentences + 1,)``.
        num: How many sentences to choose.
        is_allowed: Booleans ``(num_sentences,)``, false for those without words.

    Returns:
        Positions ``(num,)``, or fewer if there are not as many, in the order in which they were chosen; and
        the gain of each.
    """
    allowed = allowed_items(len(offsets) - 1, is_allowed)
    if not len(allowed):
        return allowed, np.zeros(0)
    x, undecided = (each[allowed] for each in _sentences(state, features, offsets))
    H, _ = _sentences(state, state.support.features, state.support.offsets)
    if not len(H):
        undecided = np.ones(len(x))
    # The λ of words is for many times as many items.
    # Features of sentences have unit length, as those of texts.
    chosen, gains = most_informative(kernel_given(H, x, 1.0), undecided, 1.0, min(num, len(x)))
    return allowed[chosen], gains


def _sentences(state: TaskState, features: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The features of all sentences, ``(num_sentences, word_dim)``, and how undecided their words are.

    Both are zeros for a sentence without words.
    """
    x, mean = np.zeros((len(offsets) - 1, features.shape[1]), np.float32), np.zeros(len(offsets) - 1)
    rows = np.flatnonzero(np.diff(offsets))
    if not len(rows):
        return x, mean
    probabilities = state.probabilities(features)
    two = np.sort(probabilities, axis=-1)[:, -2:]
    undecided = 1.0 - (two[:, 1] - two[:, 0])
    may_be_entity = 1.0 - probabilities[:, state.labels.index(OUTSIDE)] + _MIN_WEIGHT
    starts = offsets[rows]
    sums = np.add.reduceat(features * may_be_entity[:, None], starts)
    x[rows] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    mean[rows] = np.add.reduceat(undecided * may_be_entity, starts) / np.add.reduceat(may_be_entity, starts)
    return x, mean
