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

from metamapping.adaptation.export import export_task
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.inputs.inputs import read_examples, read_label_names
from metamapping.adaptation.inputs.length_counts import LengthCounts
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState
from metamapping.adaptation.saved.task_folder import PrecisionWarning, read_task, write_task
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.state_changes import with_examples, without_examples, without_label
from metamapping.adaptation.task_questions import TaskQuestions
from metamapping.adaptation.tuning.tuning_record import Tuning
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
    """One task with its labels and examples: what it is, how it changes, and how it is stored.

    What it predicts is in ``TaskPredictions``, what it can say about its own data in ``TaskQuestions``.

    Args:
        featurizer: Encodes new texts and names.
        state: The task's labels, examples and solution.
    """

    def __init__(self, featurizer: Featurizer, state: TaskState) -> None:
        super().__init__(featurizer, state)
        self._write_lock = threading.Lock()

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
            from metamapping.adaptation.multi_label.multi_label_mapping import MultiLabelMapping

            return MultiLabelMapping(featurizer, saved.state)
        return cls(featurizer, saved.state)

    def __reduce__(self) -> Any:
        raise TypeError("a mapping cannot be pickled or copied: use save(folder) and Mapping.load(folder)")
