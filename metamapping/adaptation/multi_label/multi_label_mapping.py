"""MultiLabelMapping: a task whose texts have any number of labels, none included.

    mapping = mapper.adapt(texts, [["login", "urgent"], ["refund"], []])
    mapping.predict(["my password is wrong, hurry"])              # [["login", "urgent"]]
    mapping.predict_proba(["my password is wrong, hurry"])        # independent probabilities

It is a ``Mapping`` whose labels come and go as lists; what has no meaning for several labels is refused.
"""

from __future__ import annotations

from collections import abc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metamapping.adaptation.cross_validation import CrossValidation
from metamapping.adaptation.explanation import explain
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.inputs.inputs import read_examples, read_label_names
from metamapping.adaptation.multi_label.multi_label_errors import list_errors
from metamapping.adaptation.multi_label.multi_label_scores import cross_validate_lists
from metamapping.adaptation.multi_label.multi_label_state import (
    MultiLabelState,
    set_confidence,
    with_label_lists,
    without_label_column,
    without_label_lists,
)
from metamapping.adaptation.results import Answers, Error, Explanation
from metamapping.adaptation.scope import Threshold, check_threshold
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.task_mapping import Mapping
from metamapping.config.sources import Columns
from metamapping.corpus.labels import Label


class MultiLabelMapping(Mapping):
    """One task whose texts have any number of labels.

    Args:
        featurizer: Encodes new texts and names.
        state: The task's labels, examples and solution.
    """

    _state: MultiLabelState

    def __init__(self, featurizer: Featurizer, state: MultiLabelState) -> None:
        super().__init__(featurizer, state)

    @property
    def thresholds(self) -> dict[Label, float]:
        """The probability from which on a text has each label, fitted to left-out examples."""
        state = self._state
        return dict(zip(state.labels, map(float, state.decisions.thresholds), strict=True))

    def predict(
        self, texts: Any, *, text_pairs: Any = None, threshold: Threshold | None = None
    ) -> list[list[Label]]:
        """Predict the labels of each text.

        Args:
            texts: A column of texts.
            text_pairs: The second text of each pair.
            threshold: A probability from 0 to 1: a text has all labels that reach it. Default: each label's
                own, see ``thresholds``.

        Returns:
            A list of labels for each text, which may be empty, in the order of ``labels``. An empty text has
            none.

        Raises:
            ValueError: The texts do not fit the task, or the threshold is not a probability.
        """
        lowest = _probability(threshold)
        state = self._state
        predicted: list[list[Label]] = []
        for probabilities, is_empty in self._probabilities(state, texts, text_pairs):
            predicted += state.label_lists(_chosen(state, probabilities, is_empty, lowest))
        return predicted

    def predict_proba(self, texts: Any, *, text_pairs: Any = None) -> np.ndarray:
        """Predict the probability of each label, independent of the other labels.

        Args:
            texts: A column of texts.
            text_pairs: The second text of each pair.

        Returns:
            Float32 ``(num_texts, num_labels)``, columns in the order of ``labels``; rows need not sum to 1.
            For an empty text they are the shares of the examples that have each label, with one added to
            each count.

        Raises:
            ValueError: The texts do not fit the task.
        """
        state = self._state
        parts = [part for part, _ in self._probabilities(state, texts, text_pairs)]
        return np.concatenate([np.zeros((0, len(state.labels)), np.float32), *parts])

    def confidence(self, texts: Any, *, text_pairs: Any = None) -> np.ndarray:
        """The probability that ``predict`` is right about every label of a text, if they are independent.

        Args:
            texts: A column of texts.
            text_pairs: The second text of each pair.

        Returns:
            Float32 ``(num_texts,)``, 0 for an empty text.

        Raises:
            ValueError: The texts do not fit the task.
        """
        return self.answer(texts, text_pairs=text_pairs).confidence

    def answer(self, texts: Any, *, text_pairs: Any = None, threshold: Threshold | None = None) -> Answers:
        """``predict``, ``predict_proba`` and ``confidence`` in one call that encodes each text once.

        Args:
            texts: A column of texts.
            text_pairs: The second text of each pair.
            threshold: As for ``predict``.

        Returns:
            Lists of labels, probabilities ``(num_texts, num_labels)`` and confidence ``(num_texts,)``.

        Raises:
            ValueError: As ``predict``.
        """
        lowest = _probability(threshold)
        state = self._state
        parts = list(self._probabilities(state, texts, text_pairs))
        empty = (np.zeros((0, len(state.labels)), np.float32), np.zeros(0, bool))
        probabilities, is_empty = (np.concatenate(each) for each in zip(empty, *parts, strict=True))
        chosen = _chosen(state, probabilities, is_empty, lowest)
        confidence = set_confidence(probabilities, chosen)
        return Answers(
            labels=state.label_lists(chosen),
            probabilities=probabilities,
            confidence=np.where(is_empty, np.float32(0), confidence),
        )

    def add(
        self,
        texts: Any,
        labels: Any = None,
        *,
        text_pairs: Any = None,
        label_names: abc.Mapping[Any, str] | None = None,
        columns: Columns | None = None,
    ) -> None:
        """Add examples, with the same result as if they had been there from the start.

        Args:
            texts: A column of texts, or a table.
            labels: A column of lists of labels; part of the table if one is given.
            text_pairs: A column of second texts; part of the table if one is given.
            label_names: Readable words by label; they replace earlier ones.
            columns: The names of a table's columns.

        Raises:
            ValueError: The examples cannot be learned from, or do not fit the task.
        """
        examples = read_examples(
            texts,
            labels,
            text_pairs=text_pairs,
            task_type=self.task_type,
            columns=columns,
            multi_label=True,
        )
        names = read_label_names(label_names)
        with self._write_lock:
            self._state = with_label_lists(self._featurizer, self._state, examples, names)

    def _without_label(self, label: Label) -> MultiLabelState:
        return without_label_column(self._featurizer, self._state, label)

    def _without_examples(self, positions: Sequence[int]) -> MultiLabelState:
        return without_label_lists(self._featurizer, self._state, positions)

    def export(self, path: str | Path) -> Path:
        """Refused: exported files have one label a text.

        Args:
            path: The file.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "only tasks of one label a text can be exported, and this one has several: save it, or serve it"
        )

    def cross_validate(self, *, groups: Sequence[Any] | None = None) -> CrossValidation:
        """Estimate how good the task is: each example is predicted by the mapping of all others.

        The thresholds that decide about an example are fitted to other examples than it, too.

        Args:
            groups: The group of each example; the examples of a group are left out together.

        Returns:
            The predictions, and macro-F1, micro-F1 and the share of texts all of whose labels are right,
            with 95 % intervals. It is printed as a table.

        Raises:
            ValueError: The task has fewer than two examples or groups, or there is not one group for each
                example.
        """
        return cross_validate_lists(self._state, groups=groups)

    def explain(
        self,
        text: Any,
        *,
        text_pair: str | None = None,
        word: int | None = None,
        num_examples: int = 3,
        label: Label | None = None,
    ) -> Explanation:
        """Explain the score of one label of a text by the examples that are most similar to it.

        Args:
            text: The text.
            text_pair: The second text of a pair.
            word: For ``ner`` only.
            num_examples: How many examples to return.
            label: The label to explain. Default: the most probable one.

        Returns:
            The most similar examples first, each with its labels and its contribution to the label's score.

        Raises:
            ValueError: The text is empty or does not fit the task, or it has no such label.
        """
        state = self._state
        if word is not None:
            raise ValueError("word is for ner tasks: here the labels are those of a whole text")
        slots = None if label is None else np.array([self._slot_of(state, label)])
        pairs = None if text_pair is None else [text_pair]
        ((features, is_empty),) = self._text_features(state, [text], pairs)
        if is_empty.any():
            raise ValueError("the text is empty, so that no label is predicted: give a text to explain")
        if slots is None:
            slots = state.probabilities(features).argmax(axis=-1)
        return explain(state, features, num_examples=num_examples, slots=slots)[0]

    def errors(
        self,
        texts: Any,
        labels: Any = None,
        *,
        text_pairs: Any = None,
        columns: Columns | None = None,
        num_examples: int = 3,
    ) -> list[Error]:
        """Find the texts whose labels are not all predicted, or of which others are predicted as well.

        Args:
            texts: A column of texts, or a table.
            labels: A column of lists of labels; part of the table if one is given.
            text_pairs: A column of second texts; part of the table if one is given.
            columns: The names of a table's columns.
            num_examples: How many similar examples explain each error.

        Returns:
            The errors, with lists of labels; those about which the mapping is surest come first. Explained
            is the wrongly decided label that is furthest from its threshold.

        Raises:
            ValueError: The rows cannot be read or do not fit the task.
        """
        state = self._state
        rows = read_examples(
            texts,
            labels,
            text_pairs=text_pairs,
            task_type=state.task_type,
            columns=columns,
            multi_label=True,
        )
        parts = list(self._text_features(state, rows.texts, rows.text_pairs))
        features = np.concatenate([each for each, _ in parts])
        is_empty = np.concatenate([each for _, each in parts])
        probabilities = state.probabilities(features)
        chosen = _chosen(state, probabilities, is_empty, None)
        return list_errors(state, probabilities, chosen, rows, features, is_empty, num_examples=num_examples)

    def _predicted(self, state: TaskState, features: np.ndarray) -> tuple[list[Any], np.ndarray]:
        assert isinstance(state, MultiLabelState)
        probabilities = state.probabilities(features)
        chosen = state.decisions.chosen(probabilities)
        return state.label_lists(chosen), set_confidence(probabilities, chosen)

    def _probabilities(
        self, state: MultiLabelState, texts: Any, text_pairs: Any
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The probabilities of all texts in chunks, and whether each text is empty."""
        for features, is_empty in self._text_features(state, texts, text_pairs):
            probabilities = state.probabilities(features)
            probabilities[is_empty] = state.label_shares()
            yield probabilities, is_empty


def mapping_of(featurizer: Featurizer, state: TaskState) -> Mapping:
    """The mapping of a state, whatever its kind.

    Args:
        featurizer: Encodes new texts and names.
        state: The task's labels, examples and solution.
    """
    if isinstance(state, MultiLabelState):
        return MultiLabelMapping(featurizer, state)
    return Mapping(featurizer, state)


def _probability(threshold: Threshold | None) -> float | None:
    """A threshold as a number. Raises ``ValueError`` if it is none."""
    check_threshold(threshold)
    if isinstance(threshold, str | abc.Mapping):
        raise ValueError(
            f"threshold is {threshold!r}: where a text has any number of labels each label has its own "
            "threshold, fitted to left-out examples; leave it out, or give one probability for all"
        )
    return threshold


def _chosen(
    state: MultiLabelState, probabilities: np.ndarray, is_empty: np.ndarray, threshold: float | None
) -> np.ndarray:
    """Which labels each text has; an empty one has none."""
    chosen: np.ndarray = state.decisions.chosen(probabilities, threshold) & ~is_empty[:, None]
    return chosen
