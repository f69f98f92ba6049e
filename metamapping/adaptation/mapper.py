"""MetaMapper: a published encoder that can be adapted to tasks.

    mapper = MetaMapper.from_pretrained("path/to/published")
    mapping = mapper.adapt(["Where is my parcel?", "I want my money back"], ["delivery", "refund"])
    mapping.predict(["It never arrived"])                      # ["delivery"]
    mapper.zero_shot(["delivery", "refund"]).predict(["It never arrived"])

Adaptation is closed-form algebra on the features of a few examples: it computes no gradients, except where
``adapt(…, tune=True)`` asks for them, and never changes the encoder. Texts are cleaned and tokenized as in
training.
"""

from __future__ import annotations

import math
import warnings
from collections import abc
from pathlib import Path
from typing import Any

import numpy as np

from metamapping.adaptation.algebra.support import Examples, LabelListExamples
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.grades import read_grades
from metamapping.adaptation.inputs.inputs import check_task_type, read_examples, read_label_names, read_labels
from metamapping.adaptation.label_checks.label_checks import check_labels, check_wanted, unfitted_state
from metamapping.adaptation.label_checks.suspicious_labels import SuspiciousLabels
from metamapping.adaptation.multi_label.multi_label_mapping import MultiLabelMapping, mapping_of
from metamapping.adaptation.multi_label.multi_label_state import empty_multi_label_state, with_label_lists
from metamapping.adaptation.state import empty_state
from metamapping.adaptation.state_changes import with_examples, with_grades, with_labels, with_out_of_scope
from metamapping.adaptation.task_mapping import Mapping
from metamapping.adaptation.tuning.tuning import check_can_tune, tune_task
from metamapping.config.labels import label_column_doubt, label_text, unused_grades
from metamapping.config.sources import Columns, TaskType
from metamapping.corpus.tag_doubts import tag_doubts
from metamapping.errors import listed
from metamapping.publishing.loaded_model import LoadedModel
from metamapping.publishing.pretrained_model import (
    UntrainedMappingWarning,
    is_pretrained,
    read_encoder,
    untrained_sentence,
)
from metamapping.publishing.runtime_model import Backend


class MetaMapper:
    """A published encoder, its meta-learned mapping, and its tokenizer.

    Args:
        model: The published encoder, as ``load_model`` returns it.
        progress: Whether to show a progress bar on standard error. Default: only for more than 2,000
            texts, and only if standard error is a terminal.
    """

    def __init__(self, model: LoadedModel, *, progress: bool | None = None) -> None:
        self.featurizer = Featurizer(model, progress=progress)

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, progress: bool | None = None, backend: Backend = "auto"
    ) -> MetaMapper:
        """Load a published encoder, or a pretrained one that was not meta-trained.

        Args:
            folder: A published folder, or the address of one (``s3://bucket/…/published``); or a pretrained
                encoder: a Hugging Face or KerasHub folder, or a name on the hub
                (``sentence-transformers/all-MiniLM-L6-v2``).
            progress: As for ``MetaMapper``.
            backend: ``runtime`` for the graph of the folder, which needs no TensorFlow and runs on the CPU;
                a pretrained Hugging Face folder gets one in memory; ``int8`` for the same with dense layers
                of 8 bits, which is faster and changes features a little, and ``int8-anyway`` for that where
                publishing has found that it loses too much; ``tensorflow`` for Keras, which uses a GPU if
                there is one; ``auto`` for the runtime where there is a graph.

        Raises:
            FileNotFoundError: There is no such encoder.
            StoreError: The folder is damaged, or has no graph although the runtime was asked for.
            MissingExtraError: TensorFlow is needed and is not installed.

        Warns:
            UntrainedMappingWarning: The encoder is a pretrained one, so that its mapping is not trained.
        """
        model = read_encoder(folder, backend=backend)
        if is_pretrained(folder):
            warnings.warn(untrained_sentence(folder), UntrainedMappingWarning, stacklevel=2)
        return cls(model, progress=progress)

    def adapt(
        self,
        texts: Any,
        labels: Any = None,
        *,
        text_pairs: Any = None,
        label_names: abc.Mapping[Any, str] | None = None,
        task_type: TaskType = "text-classification",
        columns: Columns | None = None,
        tune: bool | float = False,
        multi_label: bool | None = None,
        out_of_scope: Any = None,
        ordinal: Any = None,
    ) -> Mapping:
        """Compute the mapping of a task from its examples, in closed form.

        With ``tune``, the encoder's layers are tuned to the task before, if left-out examples show that
        it helps; ``Mapping.tuning`` says what was decided, and why. The encoder itself never changes, and the
        task keeps the difference alone (docs/how-to/tuning.md).

        Columns may be lists, tuples, NumPy arrays, or columns of pandas, Arrow or ``datasets``.

        Args:
            texts: A column of texts; for ``ner`` a column of strings, or of lists of words. Or a whole
                ``DataFrame``, ``Dataset`` or Arrow table, or the ``Path`` of a CSV, TSV, JSONL, Parquet,
                CoNLL or .xlsx file, which then also contains the labels.
            labels: A column of labels; for ``ner`` a column of lists of spans for strings
                (``(start, end, label)``, or as annotation tools write them), and of lists of tags (BIO,
                BIOES, BILOU or IO) for words.
                A text may have a list of labels: ``["login", "urgent"]``, or ``[]`` for none. The task is
                then a ``MultiLabelMapping``, whose predictions are lists as well.
                Labels are strings, booleans or numbers, all of one type, and ``predict`` returns them in
                this type. Numbers are compared by value: ``1.0`` is the label ``1``.
            text_pairs: The second text of each example, for tasks about pairs.
            label_names: Readable words by label, which tell the encoder what the label means. A label
                without an entry is read as it is written. A number may be written as a string.
            task_type: The task type.
            columns: The names of a table's or file's columns. Default: ``text``, ``label`` (for ``ner``
                ``words`` and ``tags``, or ``text`` and ``spans``, ``entities``, ``label`` or ``labels``), and
                ``text_pair`` if there is one.
            tune: Whether to tune the encoder to the task: ``True`` for a number of steps that suits most
                tasks, or the time for it in seconds, above 0. Ctrl-C ends it with the best so far. It needs
                TensorFlow.
            multi_label: Whether a text has any number of labels. Default: if any text has a list of several
                labels or of none; a list of one label in each row is one label a text.
            out_of_scope: The label of examples that belong to none of the others, such as ``"oos"``. The task
                learns from them when to answer so, instead of a label: see ``Mapping.predict``.
            ordinal: The labels in their order, if they have one: ``["bad", "ok", "good"]``. Predictions are
                then as near as possible to the true grade, and not only right as often as possible.

        Raises:
            ValueError: The examples cannot be learned from; the message names the row and the fix. Or the
                task or the encoder cannot be tuned.
            MissingExtraError: The encoder is to be tuned, and TensorFlow is not installed.

        Warns:
            UserWarning: Nearly every example has a label of its own, as if the column were not the label's;
                or spans of ``ner`` begin or end inside a word, or two of its types are probably one.
        """
        is_tuned, seconds = _read_tune(tune)
        examples = read_examples(
            texts,
            labels,
            text_pairs=text_pairs,
            task_type=task_type,
            columns=columns,
            multi_label=multi_label,
        )
        names = read_label_names(label_names)
        if isinstance(examples, LabelListExamples):
            _check_alone(out_of_scope, ordinal)
            empty = empty_multi_label_state(self.featurizer, task_type)
            if is_tuned:
                check_can_tune(self.featurizer)
            lists = with_label_lists(self.featurizer, empty, examples, names)
            if is_tuned:
                return mapping_of(*tune_task(self.featurizer, lists, seconds=seconds))
            return MultiLabelMapping(self.featurizer, lists)
        if is_tuned:
            check_can_tune(self.featurizer)
        _warn_of_labels(examples, task_type)
        state = empty_state(self.featurizer, task_type)
        if out_of_scope is not None:
            (label,) = read_labels([out_of_scope])
            state = with_out_of_scope(self.featurizer, state, label)
        if ordinal is not None:
            state = with_grades(self.featurizer, state, read_grades(ordinal), names)
            if unused := unused_grades(state.labels, examples.labels, of="example"):
                warnings.warn(unused, stacklevel=2)
        state = with_examples(self.featurizer, state, examples, names)
        if not is_tuned:
            return Mapping(self.featurizer, state)
        return Mapping(*tune_task(self.featurizer, state, seconds=seconds))

    def zero_shot(
        self,
        labels: Any,
        *,
        label_names: abc.Mapping[Any, str] | None = None,
        task_type: TaskType = "text-classification",
        ordinal: bool = False,
    ) -> Mapping:
        """Compute the mapping of a task from its label names alone.

        Args:
            labels: A column of labels; for ``ner`` the entity types.
            label_names: Readable words by label, as for ``adapt``.
            task_type: The task type.
            ordinal: Whether the labels are grades, given in their order.

        Raises:
            ValueError: There are fewer than two labels, or one that cannot be read.
        """
        check_task_type(task_type)
        read, names = read_labels(labels), read_label_names(label_names)
        if task_type == "ner":  # types are parts of BIO tags, which are strings
            read = [str(label_text(label)) for label in read]
        state = empty_state(self.featurizer, task_type)
        if ordinal:
            state = with_grades(self.featurizer, state, read_grades(labels), names)
        state = with_labels(self.featurizer, state, read, names)
        return Mapping(self.featurizer, state)

    def suspicious_labels(
        self,
        texts: Any,
        labels: Any = None,
        *,
        text_pairs: Any = None,
        label_names: abc.Mapping[Any, str] | None = None,
        task_type: TaskType = "text-classification",
        columns: Columns | None = None,
        multi_label: bool | None = None,
        num: int | None = None,
        min_probability: float = 0.5,
        groups: abc.Sequence[Any] | None = None,
    ) -> SuspiciousLabels:
        """Find the examples whose label is probably wrong, without a task being made of them.

        It returns what ``adapt(…).suspicious_labels(…)`` does, faster: where each text has one label, no
        hyperparameter is fitted to the examples.

        Args:
            texts: As for ``adapt``.
            labels: As for ``adapt``.
            text_pairs: As for ``adapt``.
            label_names: As for ``adapt``.
            task_type: The task type.
            columns: As for ``adapt``.
            multi_label: As for ``adapt``.
            num: As for ``Mapping.suspicious_labels``, as are ``min_probability`` and ``groups``.
            min_probability: The lowest probability of being wrong that is returned, from 0 to 1.
            groups: The group of each example; the examples of a group do not judge one another.

        Raises:
            ValueError: As for ``adapt``, or a number is out of range.

        Warns:
            UserWarning: As for ``adapt``.
        """
        check_wanted(num, min_probability)
        examples = read_examples(
            texts,
            labels,
            text_pairs=text_pairs,
            task_type=task_type,
            columns=columns,
            multi_label=multi_label,
        )
        _warn_of_labels(examples, task_type)
        state = unfitted_state(self.featurizer, task_type, examples, read_label_names(label_names))
        return check_labels(state, num=num, min_probability=min_probability, groups=groups)

    def __deepcopy__(self, memo: dict[int, Any]) -> MetaMapper:
        # A mapper never changes, so that copies of an object that holds it (such as a clone made by
        # scikit-learn) can share it instead of copying the encoder.
        return self

    def __copy__(self) -> MetaMapper:
        return self

    def __reduce__(self) -> Any:
        raise TypeError(
            "a MetaMapper cannot be pickled: give the path of the published folder instead, which each "
            "process loads, as in MetaMappingClassifier(path) for n_jobs"
        )


def _warn_of_labels(examples: Examples, task_type: TaskType) -> None:
    """Warn if nearly every example has a label of its own, or entity types are probably misspelled."""
    if isinstance(examples, LabelListExamples):
        return
    if task_type == "ner":
        for sentence in tag_doubts(examples.labels):
            warnings.warn(sentence, stacklevel=3)
        return
    if doubt := label_column_doubt(len(set(examples.labels)), len(examples.labels)):
        warnings.warn(doubt, stacklevel=3)


def _read_tune(tune: Any) -> tuple[bool, float | None]:
    """Whether to tune, and the seconds for it if they are given. Raises ``ValueError``."""
    if isinstance(tune, bool | np.bool_):
        return bool(tune), None
    if not isinstance(tune, int | float | np.number) or not 0 < tune < math.inf:
        raise ValueError(f"tune is {tune!r:.80}: expected True, False, or a number of seconds above 0")
    return True, float(tune)


def _check_alone(out_of_scope: Any, ordinal: Any) -> None:
    """Raise ``ValueError`` if a task with any number of labels a text is to have what only others can."""
    asked = {"out_of_scope": out_of_scope is not None, "ordinal": ordinal is not None}
    wrong = [name for name, is_asked in asked.items() if is_asked]
    if wrong:
        raise ValueError(
            f"{listed(wrong)} is for tasks with one label for each text, and here a text has any number of "
            "them: leave it out"
        )
