"""Task predictions: what a task answers about new texts.

    mapping.predict(["it has not arrived"])                       # ["delivery"]
    mapping.predict(["how old are you?"], threshold=0.5)          # [None]: no label is near enough
    mapping.predict_proba(["it has not arrived"])                 # float32 (1, num_labels)

``Mapping`` inherits these methods. Each of them reads the task's state once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from metamapping.adaptation.algebra.entity_types import WordScores
from metamapping.adaptation.entities import find_entities
from metamapping.adaptation.featurizer import Featurizer, chunks
from metamapping.adaptation.inputs.inputs import read_ner_texts, read_texts
from metamapping.adaptation.results import Answers
from metamapping.adaptation.scope import AUTO, HALF, Threshold, check_threshold, find_threshold, threshold_of
from metamapping.adaptation.state import TaskState
from metamapping.corpus.labels import Label


class TaskPredictions:
    """The predictions of a task.

    Args:
        featurizer: Encodes new texts.
        state: The task's labels, examples and solution.
    """

    def __init__(self, featurizer: Featurizer, state: TaskState) -> None:
        self._featurizer = featurizer
        self._state = state
        # The thresholds that were found for a state.
        self._thresholds: tuple[TaskState, dict[str, float]] | None = None

    @property
    def state(self) -> TaskState:
        """Everything that the task knows now, as one immutable value; a change makes another one."""
        return self._state

    def predict(self, texts: Any, *, text_pairs: Any = None, threshold: Threshold | None = None) -> list[Any]:
        """Predict the label of each text; for ``ner`` its entities, or the BIO tag of each word.

        Args:
            texts: A column of texts; for ``ner`` a column of strings, or of lists of words.
            text_pairs: The second text of each pair.
            threshold: A probability from 0 to 1, ``"auto"``, ``{"precision": 0.95}`` or ``{"outside": 0.1}``
                (see ``find_threshold``). A text whose ``confidence`` is lower gets ``None``, or the task's
                ``out_of_scope``. Default: none, and ``"auto"`` for a task with ``out_of_scope``. For
                ``ner`` an entity of a string that has a lower probability is left out, and in a list of
                words a word whose most probable label has a lower probability gets "O"; by default entities
                with a probability below 0.25 are left out, where there are examples.

        Returns:
            One label for each text; for ``ner`` a list of ``Entity`` for each string, and a list of BIO tags
            for each list of words. An empty text, or a pair with one, gets ``None`` (for ``ner`` an empty
            list): the task learned nothing about it.

        Raises:
            ValueError: The texts do not fit the task, or the threshold is not a probability.
        """
        check_threshold(threshold)
        state = self._state
        if state.is_ner:
            if threshold is not None and not isinstance(threshold, float | int):
                raise ValueError(f"threshold is {threshold!r}: for ner give a probability from 0 to 1")
            words, strings, bounds = read_ner_texts(texts)
            rows = self._word_scores(state, words)
            if strings is None:
                return [state.bio_tags(scores, threshold) for scores in rows]
            return [
                find_entities(state, *each, threshold) for each in zip(strings, bounds, rows, strict=True)
            ]
        lowest = self._lowest_confidence(state, threshold)
        predicted: list[Any] = []
        for features, is_empty in self._text_features(state, texts, text_pairs):
            if lowest is None:
                best, is_near = state.best(state.solution.scores(features)), ~is_empty
            else:
                best, confidence = state.confidence(features)
                is_near = confidence >= lowest
            predicted += _answers(state, best, is_near, is_empty)
        return predicted

    def predict_proba(self, texts: Any, *, text_pairs: Any = None) -> Any:
        """Predict the probability of each label, given that the text belongs to one of them.

        Args:
            texts: A column of texts; for ``ner`` a column of strings, or of lists of words.
            text_pairs: The second text of each pair.

        Returns:
            Float32 ``(num_texts, num_labels)``; for ``ner`` a list of ``(num_words, num_labels)``, one for
            each text; the words of a string are those of ``corpus.word_bounds``. Columns are in the order of
            ``labels``, rows sum to 1. For an empty text they are the shares of the labels among the examples,
            with one added to each count.

        Raises:
            ValueError: The texts do not fit the task.
        """
        state = self._state
        if state.is_ner:
            words, _, _ = read_ner_texts(texts)
            return [
                state.calibration.probabilities(scores.labels) for scores in self._word_scores(state, words)
            ]
        parts = [
            _probabilities(state, features, is_empty)
            for features, is_empty in self._text_features(state, texts, text_pairs)
        ]
        return np.concatenate([np.zeros((0, len(state.labels)), np.float32), *parts])

    def confidence(self, texts: Any, *, text_pairs: Any = None) -> np.ndarray:
        """The probability that ``predict`` is right; ``threshold`` is compared with it.

        It is the probability of the predicted label, times the probability that the text belongs to any
        label at all, assuming that half of all texts do not. A zero-shot task has no examples from which
        the second factor could be estimated, and it is left out.

        Args:
            texts: A column of texts.
            text_pairs: The second text of each pair.

        Returns:
            Float32 ``(num_texts,)``, 0 for an empty text.

        Raises:
            ValueError: The texts do not fit the task, or it is a ``ner`` task.
        """
        state = self._state
        if state.is_ner:
            raise ValueError("confidence is about the label of a text, but ner has one label for each word")
        parts = [
            np.where(is_empty, np.float32(0), state.confidence(features)[1])
            for features, is_empty in self._text_features(state, texts, text_pairs)
        ]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def find_threshold(self, *, precision: float | None = None, outside: float = HALF) -> float:
        """The threshold that is best for the task's own examples and for texts outside of the task.

        Each example is scored by the mapping of the others. Texts outside are the examples labelled
        ``out_of_scope``; without any, they are the task's own, scored without all examples of their label.

        Args:
            precision: The wanted share of right answers; the lowest threshold that has it is returned.
                Default: the best F1 of right answers.
            outside: The share of texts outside among the texts to be answered. Default: half of them, as in
                ``confidence``.

        Raises:
            ValueError: The task has no label with two examples, it is a ``ner`` task, no threshold has that
                precision, or the encoder was trained with a solver that is not a ridge regression.
        """
        check_threshold({"outside": outside} | ({} if precision is None else {"precision": precision}))
        return find_threshold(self._state, precision=precision, outside=outside)

    def answer(self, texts: Any, *, text_pairs: Any = None, threshold: Threshold | None = None) -> Answers:
        """``predict``, ``predict_proba`` and ``confidence`` in one call that encodes each text once.

        Args:
            texts: A column of texts.
            text_pairs: The second text of each pair.
            threshold: A probability from 0 to 1. A text whose confidence is lower gets the label ``None``.

        Returns:
            Labels, probabilities ``(num_texts, num_labels)`` and confidence ``(num_texts,)``.

        Raises:
            ValueError: As ``predict``, or it is a ``ner`` task.
        """
        check_threshold(threshold)
        state = self._state
        if state.is_ner:
            raise ValueError("answer is about the label of a text, but ner has one label for each word")
        parts = list(self._text_features(state, texts, text_pairs))
        features = np.concatenate(
            [np.zeros((0, self._featurizer.text_dim), np.float32), *(x for x, _ in parts)]
        )
        is_empty = np.concatenate([np.zeros(0, bool), *(empty for _, empty in parts)])
        best, confidence = state.confidence(features)
        lowest = self._lowest_confidence(state, threshold)
        is_near = ~is_empty if lowest is None else confidence >= lowest
        return Answers(
            labels=_answers(state, best, is_near, is_empty),
            probabilities=_probabilities(state, features, is_empty),
            confidence=np.where(is_empty, np.float32(0), confidence),
        )

    def are_empty(self, texts: Any, *, text_pairs: Any = None) -> np.ndarray:
        """Whether nothing is left of each text, or of its second text, after cleaning.

        Args:
            texts: A column of texts.
            text_pairs: The second text of each pair.

        Returns:
            Booleans ``(num_texts,)``.
        """
        firsts, seconds = read_texts(texts, text_pairs)
        is_empty = self._featurizer.is_empty(firsts)
        return is_empty if seconds is None else is_empty | self._featurizer.is_empty(seconds)

    def _lowest_confidence(self, state: TaskState, wanted: Threshold | None) -> float | None:
        """The confidence from which a label is answered; ``None`` for any."""
        if wanted is None and state.outside is not None:
            # With grades there is nothing to find it with, as long as no example is out of scope.
            has_evidence = state.outside.support.num_examples > 0 or not state.is_ordinal
            wanted = AUTO if has_evidence else None
        if wanted == AUTO and state.outside is not None and state.outside.threshold is not None:
            return state.outside.threshold
        if wanted is None or isinstance(wanted, float | int):
            return wanted
        key = str(wanted)
        known = self._thresholds
        if known is None or known[0] is not state:
            known = self._thresholds = (state, {})
        if key not in known[1]:
            known[1][key] = threshold_of(state, wanted)
        return known[1][key]

    def _confidence_so_far(self, state: TaskState) -> float | None:
        """As ``_lowest_confidence``; ``None`` while there are too few examples to find it with."""
        try:
            return self._lowest_confidence(state, None)
        except ValueError:
            return None

    def _word_scores(self, state: TaskState, words: list[list[str]]) -> list[WordScores]:
        """The scores of each text's words."""
        features, offsets = self._featurizer.words(words)
        return state.word_scores(features).split(offsets) if words else []

    def _text_features(
        self, state: TaskState, texts: Any, text_pairs: Any
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The features of all texts, and whether each text is empty.

        They come in chunks, because the scores of all texts may not fit in memory.
        """
        firsts, seconds = read_texts(texts, text_pairs)
        if firsts:
            state.support.check_pairs(seconds is not None)
        features = self._featurizer.texts(firsts, seconds)
        is_empty = self.are_empty(firsts, text_pairs=seconds)
        return ((features[chunk], is_empty[chunk]) for chunk in chunks(len(features)))


def _answers(
    state: TaskState, best: np.ndarray, is_near: np.ndarray, is_empty: np.ndarray
) -> list[Label | None]:
    """The label of each text; texts outside of the task have its label for them, and empty texts none."""
    outside = None if state.outside is None else state.outside.label
    labels = [state.labels[i] if near else outside for i, near in zip(best, is_near, strict=True)]
    return [None if empty else label for label, empty in zip(labels, is_empty, strict=True)]


def _probabilities(state: TaskState, features: np.ndarray, is_empty: np.ndarray) -> np.ndarray:
    probabilities = state.probabilities(features)
    probabilities[is_empty] = state.label_shares()
    return probabilities
