"""MetaMapper: a published encoder that can be adapted to tasks.

    mapper = MetaMapper.from_pretrained("path/to/published")
    mapping = mapper.adapt(["Where is my parcel?", "I want my money back"], ["delivery", "refund"])
    mapping.predict(["It never arrived"])                      # ["delivery"]
    mapper.zero_shot(["delivery", "refund"]).predict(["It never arrived"])

Adaptation is closed-form algebra on the features of a few examples: it computes no gradients and never
changes the encoder. Texts are cleaned and tokenized as in training.
"""

from __future__ import annotations

import warnings
from collections import abc
from pathlib import Path
from typing import Any

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.inputs import check_task_type, read_examples, read_label_names, read_labels
from metamapping.adaptation.state import empty_state, with_examples, with_labels
from metamapping.adaptation.task_mapping import Mapping
from metamapping.config.labels import label_column_doubt, label_text
from metamapping.config.sources import Columns, TaskType
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
                ``int8`` for the same with dense layers of 8 bits, which is faster and changes features a
                little; ``tensorflow`` for Keras, which uses a GPU if there is one; ``auto`` for the runtime
                where the folder has a graph.

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
    ) -> Mapping:
        """Compute the mapping of a task from its examples, in closed form.

        Columns may be lists, tuples, NumPy arrays, or columns of pandas, Arrow or ``datasets``.

        Args:
            texts: A column of texts; for ``ner`` a column of strings, or of lists of words. Or a whole
                ``DataFrame``, ``Dataset`` or Arrow table, or the ``Path`` of a CSV, TSV, JSONL, Parquet,
                CoNLL or .xlsx file, which then also contains the labels.
            labels: A column of labels; for ``ner`` a column of lists of spans for strings
                (``(start, end, label)``, or as annotation tools write them), and of lists of tags (BIO,
                BIOES, BILOU or IO) for words.
                Labels are strings, booleans or numbers, all of one type, and ``predict`` returns them in
                this type. Numbers are compared by value: ``1.0`` is the label ``1``.
            text_pairs: The second text of each example, for tasks about pairs.
            label_names: Readable words by label, which tell the encoder what the label means. A label
                without an entry is read as it is written. A number may be written as a string.
            task_type: The task type.
            columns: The names of a table's or file's columns. Default: ``text``, ``label`` (for ``ner``
                ``words`` and ``tags``, or ``text`` and ``spans``, ``entities``, ``label`` or ``labels``), and
                ``text_pair`` if there is one.

        Raises:
            ValueError: The examples cannot be learned from; the message names the row and the fix.

        Warns:
            UserWarning: Nearly every example has a label of its own, as if the column were not the label's;
                or spans of ``ner`` begin or end inside a word.
        """
        examples = read_examples(texts, labels, text_pairs=text_pairs, task_type=task_type, columns=columns)
        names = read_label_names(label_names)
        if task_type != "ner" and (
            doubt := label_column_doubt(len(set(examples.labels)), len(examples.labels))
        ):
            warnings.warn(doubt, stacklevel=2)
        state = with_examples(self.featurizer, empty_state(self.featurizer, task_type), examples, names)
        return Mapping(self.featurizer, state)

    def zero_shot(
        self,
        labels: Any,
        *,
        label_names: abc.Mapping[Any, str] | None = None,
        task_type: TaskType = "text-classification",
    ) -> Mapping:
        """Compute the mapping of a task from its label names alone.

        Args:
            labels: A column of labels; for ``ner`` the entity types.
            label_names: Readable words by label, as for ``adapt``.
            task_type: The task type.

        Raises:
            ValueError: There are fewer than two labels, or one that cannot be read.
        """
        check_task_type(task_type)
        read, names = read_labels(labels), read_label_names(label_names)
        if task_type == "ner":  # types are parts of BIO tags, which are strings
            read = [str(label_text(label)) for label in read]
        state = with_labels(self.featurizer, empty_state(self.featurizer, task_type), read, names)
        return Mapping(self.featurizer, state)

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
