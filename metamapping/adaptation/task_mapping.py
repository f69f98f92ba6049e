"""Mapping: a task that can be used. ``MetaMapper.adapt`` and ``MetaMapper.zero_shot`` create one.

    mapping.predict(["it has not arrived"])                       # ["delivery"]
    mapping.predict(["how old are you?"], threshold=0.5)          # [None]: no label is near enough
    mapping.add(["where is my money"], ["refund"])                # encodes only the new text
    mapping.explain("it has not arrived")[0].text                 # the most similar example
    mapping.save("my-tasks/orders"); Mapping.load("my-tasks/orders")

Any number of threads may read a mapping while one changes it: everything it knows is one immutable
``TaskState``, which a change replaces in one assignment and every call reads exactly once.
"""

from __future__ import annotations

import threading
import warnings
from collections import abc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from metamapping.adaptation.entities import find_entities
from metamapping.adaptation.entity_types import WordScores
from metamapping.adaptation.export import export_task
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.inputs import read_examples, read_label_names, read_ner_texts
from metamapping.adaptation.length_counts import LengthCounts
from metamapping.adaptation.multi_label_state import MultiLabelState
from metamapping.adaptation.results import Answers
from metamapping.adaptation.scope import HALF, Threshold, check_threshold, find_threshold
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.state_changes import with_examples, without_examples, without_label
from metamapping.adaptation.task_folder import PrecisionWarning, read_task, write_task
from metamapping.adaptation.task_questions import TaskQuestions
from metamapping.adaptation.tuning_record import Tuning
from metamapping.config.sources import Columns, TaskType
from metamapping.corpus.labels import Label, label_value
from metamapping.publishing.pretrained_model import read_encoder
from metamapping.publishing.runtime_model import Backend


class LoadedEncoder(Protocol):
    """An object that has a published encoder in memory, such as a ``MetaMapper``."""

    @property
    def featurizer(self) -> Featurizer:
        """The encoder with its tokenizer and cleaning."""


class Mapping(TaskQuestions):
    """One task with its labels and examples.

    Args:
        featurizer: Encodes new texts and names.
        state: The task's labels, examples and solution.
    """

    def __init__(self, featurizer: Featurizer, state: TaskState) -> None:
        super().__init__(featurizer, state)
        self._write_lock = threading.Lock()

    @property
    def state(self) -> TaskState:
        """The task's labels, examples and solution at this moment."""
        return self._state

    @property
    def featurizer(self) -> Featurizer:
        """The encoder, tuned if the task has tuned it, with its tokenizer and cleaning."""
        return self._featurizer

    @property
    def encoder_fingerprint(self) -> str:
        """16 hexadecimal digits over everything that determines a feature of the task's encoder."""
        return self._featurizer.fingerprint

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels, in the order of ``predict_proba``'s columns; for ``ner`` "O" and the types.

        They have the type that they were given in: strings, booleans or numbers. New labels are appended.
        """
        return self._state.labels

    @property
    def is_multi_label(self) -> bool:
        """Whether a text has any number of labels, so that labels are given and predicted as lists."""
        return self._state.is_multi_label

    @property
    def task_type(self) -> TaskType:
        """The task type, which says what the labels are about."""
        return self._state.task_type

    @property
    def length_counts(self) -> LengthCounts:
        """How many texts were encoded so far by the mapper of this task, and how many of them are long.

        Texts longer than the encoder reads at once are read in overlapping windows; longer pairs are cut.
        """
        return self._featurizer.length_counts

    @property
    def is_ordinal(self) -> bool:
        """Whether the labels are grades, in their order."""
        return self._state.is_ordinal

    @property
    def out_of_scope(self) -> Label | None:
        """What texts outside of the task are answered with; ``None`` if they get no label."""
        return None if self._state.outside is None else self._state.outside.label

    @property
    def num_out_of_scope(self) -> int:
        """Number of examples that belong to none of the labels."""
        return 0 if self._state.outside is None else self._state.outside.support.num_examples

    @property
    def num_examples(self) -> int:
        """Number of examples, those out of scope not counted; for ``ner`` the number of sentences."""
        return self._state.support.num_examples

    @property
    def tuning(self) -> Tuning | None:
        """What tuning the encoder to the task decided, and why; ``None`` if that was not asked for."""
        return self._state.tuning

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

        Only the new texts are encoded. Labels may be new, but not of another type. A task that was tuned
        keeps its encoder as it is: the new examples change the mapping on top of it.

        Args:
            texts: A column of texts (for ``ner`` of strings or of lists of words), or a table.
            labels: A column of labels (for ``ner`` of lists of spans or of tags); part of the table if one is
                given.
            text_pairs: A column of second texts; part of the table if one is given.
            label_names: Readable words by label; they replace earlier ones.
            columns: The names of a table's columns.

        Raises:
            ValueError: The examples cannot be learned from, or do not fit the task.
        """
        examples = read_examples(
            texts, labels, text_pairs=text_pairs, task_type=self.task_type, columns=columns
        )
        names = read_label_names(label_names)
        with self._write_lock:
            self._state = with_examples(self._featurizer, self._state, examples, names)

    def remove(self, indices: Sequence[int] | None = None, *, label: Label | None = None) -> None:
        """Remove examples, or a label with all its examples.

        Where a text has any number of labels, examples of the label stay, with their other labels or none.

        Args:
            indices: Positions of examples, counted from 0 in the order in which they were added. A label
                that loses its last example stays, and is predicted from its name alone.
            label: The label to remove. For ``ner`` the words of the removed type become "O".

        Raises:
            ValueError: There is no such example or label, too few labels would be left, or not exactly one
                of the arguments is given.
        """
        if (indices is None) == (label is None):
            raise ValueError("give either indices or a label to remove")
        with self._write_lock:
            if indices is None:
                value = label_value(label)
                if value is None:
                    raise ValueError(f"label is {label!r}: expected a label of the task")
                self._state = self._without_label(value)
                return
            positions = [int(index) for index in indices]
            for position in positions:
                if not 0 <= position < self.num_examples:
                    raise ValueError(f"there is no example {position}: the task has {self.num_examples}")
            self._state = self._without_examples(positions)

    def _without_label(self, label: Label) -> TaskState:
        return without_label(self._featurizer, self._state, label)

    def _without_examples(self, positions: Sequence[int]) -> TaskState:
        return without_examples(self._featurizer, self._state, positions)

    def save(self, folder: str | Path, *, keep_texts: bool = True) -> Path:
        """Save the task atomically; an older saved task in the same folder is replaced.

        Args:
            folder: The folder to write.
            keep_texts: Whether to store the examples' texts. Without them the features are still stored,
                so that ``add`` and ``remove`` keep working.

        Returns:
            The absolute path of the folder.

        Raises:
            ValueError: The folder contains something else.
        """
        state = self._state
        if state.outside is not None:
            outside = replace(state.outside, threshold=self._confidence_so_far(state))
            state = replace(state, outside=outside)
        return write_task(Path(folder), self._featurizer, state, keep_texts=keep_texts)

    def export(self, path: str | Path) -> Path:
        """Write the task as one ONNX file, for programs that have no metamapping.

        The file computes the probabilities of ``predict_proba`` from the token ids of clean texts that are
        not longer than the encoder reads at once. Its metadata has the labels as JSON, and whether they are
        grades, of which the one of the smallest cost is predicted. It does not say what is out of scope.
        Tasks of named entities cannot be exported.

        Args:
            path: The file to write, ``….onnx``; the tokenizer becomes ``tokenizer.json`` in the same folder.

        Returns:
            The absolute path of the file.

        Raises:
            ValueError: The task or its encoder cannot be exported, or a file is already there.
        """
        return export_task(self._featurizer, self._state, Path(path))

    @classmethod
    def load(
        cls, folder: str | Path, mapper: LoadedEncoder | None = None, *, backend: Backend = "auto"
    ) -> Mapping:
        """Load a saved task.

        Args:
            folder: The folder of the task.
            mapper: The ``MetaMapper`` that the task was adapted with. Default: the published folder that
                the task names is loaded.
            backend: What that folder is loaded with, as for ``MetaMapper.from_pretrained``. Default: in
                8 bits if the task was adapted so, else as usual.

        Raises:
            FileNotFoundError: The folder is not a saved task, or its encoder is missing.
            StoreError: The folder is damaged, or the task was adapted with another encoder.

        Warns:
            PrecisionWarning: The task was adapted in 8 bits, and is used in float32.
        """
        saved = read_task(Path(folder))
        featurizer = (
            Featurizer(read_encoder(saved.model_folder, backend=saved.backend(backend)))
            if mapper is None
            else mapper.featurizer
        )
        saved.check_encoder(featurizer)
        if problem := saved.precision_problem(featurizer):
            warnings.warn(problem, PrecisionWarning, stacklevel=2)
        featurizer = saved.tuned(featurizer)
        if isinstance(saved.state, MultiLabelState):
            # Imported here, because it is a Mapping itself.
            from metamapping.adaptation.multi_label_mapping import MultiLabelMapping

            return MultiLabelMapping(featurizer, saved.state)
        return cls(featurizer, saved.state)

    def __reduce__(self) -> Any:
        raise TypeError("a mapping cannot be pickled or copied: use save(folder) and Mapping.load(folder)")

    def _word_scores(self, state: TaskState, words: list[list[str]]) -> list[WordScores]:
        """The scores of each text's words."""
        features, offsets = self._featurizer.words(words)
        return state.word_scores(features).split(offsets) if words else []


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
