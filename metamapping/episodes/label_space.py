"""Label spaces: the examples of one source and role, grouped by the labels that episodes draw from.

A label space is built once from a ``tokens`` shard set and never changed. Token lists are flat arrays (one of
values and one of offsets), so that a row needs no Python object; those of long sources are in files that are
mapped into memory (``space_arrays``), so that rows which no episode draws need no memory at all.

    space = build_label_space(source, table, role="train", tokenize_names=tokenize)
    space.rows_of[0]            # row numbers of the examples of space.labels[0]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from metamapping.config.labels import joined_labels, label_column_doubt, several_labels_setting
from metamapping.config.sources import Role, Source, TaskType, readable_label
from metamapping.corpus.ragged import Ragged
from metamapping.episodes.role_labels import check_labels
from metamapping.episodes.space_arrays import SpaceArrays, collect_arrays
from metamapping.errors import ConfigError

# Readable label names in, the token ids of each out.
TokenizeNames = Callable[[Sequence[str]], list[list[int]]]


@dataclass(frozen=True)
class RowTags:
    """The BIO tags of each row, without a Python object for each row.

    Attributes:
        names: The different tags.
        numbers: For each row the numbers of its tags.
    """

    names: tuple[str, ...]
    numbers: Ragged

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, row: int) -> tuple[str, ...]:
        return tuple(self.names[number] for number in self.numbers[row])


@dataclass(frozen=True)
class LabelSpace:
    """The examples of one source in one role.

    Attributes:
        source: Name of the source.
        task_type: The task type of the source.
        labels: As written in the source, sorted, or in the order of the grades; for ``ner`` the entity
            types, without "outside".
        label_names: The readable name of each label.
        name_tokens: Token ids of each name.
        token_ids: Token ids of each example.
        segment_ids: Segments of the same tokens.
        rows_of: For each label the rows of its examples; for ``ner`` of the sentences that contain it.
        label_of: Label number of each row, int32 ``(num_rows,)``; ``None`` for ``ner`` and several labels.
        label_sets: Only where texts have any number of labels: the label numbers of each row.
        rows_without_labels: Only there: the rows that have no label at all.
        is_ordinal: Whether the labels are grades; ``labels`` has them in their order then.
        word_starts: ``ner`` only: the first piece of each word of each row.
        word_labels: ``ner`` only: for each word 0 for "outside", ``1 + c`` for a word of type ``c``.
        word_shapes: ``ner`` only: the shapes around each word, rows of ``(num_words, 3)``.
        tags: ``ner`` only: the BIO tags of each row.
    """

    source: str
    task_type: TaskType
    labels: tuple[str, ...]
    label_names: tuple[str, ...]
    name_tokens: Ragged
    token_ids: Ragged
    segment_ids: Ragged
    rows_of: tuple[np.ndarray, ...]
    label_of: np.ndarray | None = None
    label_sets: Ragged | None = None
    rows_without_labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    is_ordinal: bool = False
    word_starts: Ragged | None = None
    word_labels: Ragged | None = None
    word_shapes: Ragged | None = None
    tags: RowTags | None = None

    @property
    def is_ner(self) -> bool:
        """Whether words have labels, instead of whole texts."""
        return self.word_starts is not None

    @property
    def is_multi_label(self) -> bool:
        """Whether a text has any number of labels."""
        return self.label_sets is not None

    def indicators(self, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Which of some labels some texts have, where texts have any number of labels.

        Args:
            rows: Numbers of rows.
            labels: Numbers of labels.

        Returns:
            Bool ``(num_rows, num_labels)``.
        """
        assert self.label_sets is not None
        slot_of = np.full(len(self.labels), -1)
        slot_of[labels] = np.arange(len(labels))
        sets = self.label_sets.take(rows)
        slots, row_of = slot_of[sets.values], np.repeat(np.arange(len(rows)), sets.lengths)
        found = np.zeros((len(rows), len(labels)), bool)
        found[row_of[slots >= 0], slots[slots >= 0]] = True
        return found

    @property
    def counts(self) -> dict[str, int]:
        """Number of examples of each label; for ``ner`` of sentences that contain it."""
        return {label: len(rows) for label, rows in zip(self.labels, self.rows_of, strict=True)}

    @property
    def num_rows(self) -> int:
        """Number of examples."""
        return len(self.token_ids)


def build_label_space(
    source: Source, table: pa.Table, *, role: Role, tokenize_names: TokenizeNames
) -> LabelSpace:
    """The label space of a source in one role.

    Args:
        source: Its ``label_roles`` may restrict the labels of the role.
        table: The rows of the source's ``tokens`` shard set.
        role: Training, validation or test.
        tokenize_names: Maps readable label names to their token ids.

    Returns:
        The label space.

    Raises:
        ConfigError: The role has fewer than two labels (``ner``: no entity type), or a listed label that
            no example has.
    """
    arrays = collect_arrays(source, lambda columns: table.select(columns).to_batches(), role=role)
    return label_space_of(source, arrays, tokenize_names)


def label_space_of(source: Source, arrays: SpaceArrays, tokenize_names: TokenizeNames) -> LabelSpace:
    """The label space of collected arrays.

    Args:
        source: The source that they were collected from; its label names may be others than then.
        arrays: The arrays of one role.
        tokenize_names: Maps readable label names to their token ids.

    Returns:
        The label space, which is mapped into memory if the arrays are.

    Raises:
        ConfigError: The role has too few labels, or a label is named that no example has.
    """
    check_labels(source, sorted([*arrays.labels, *arrays.other_labels]), arrays.labels)
    names = [readable_label(label, source.label_names) for label in arrays.labels]
    is_ner = source.task_type == "ner"
    return LabelSpace(
        source=source.name,
        task_type=source.task_type,
        labels=arrays.labels,
        label_names=tuple(names),
        name_tokens=Ragged.from_lists(tokenize_names(names), np.int32),
        token_ids=arrays.ragged("token_ids"),
        segment_ids=arrays.ragged("segment_ids"),
        rows_of=arrays.rows_of,
        label_of=None if is_ner or source.multi_label else arrays["label_of"],
        label_sets=arrays.ragged("label_sets") if source.multi_label else None,
        rows_without_labels=arrays["rows_without_labels"] if source.multi_label else np.zeros(0, np.int64),
        is_ordinal=source.ordinal is not None,
        word_starts=arrays.ragged("word_starts") if is_ner else None,
        word_labels=arrays.ragged("word_labels") if is_ner else None,
        word_shapes=arrays.ragged("word_shapes") if is_ner else None,
        tags=RowTags(arrays.tag_names, arrays.ragged("tag_numbers")) if is_ner else None,
    )


def check_enough_examples(source: str, counts: Mapping[str, int], *, needed: int, why: str) -> None:
    """Check that every label has enough examples for an episode.

    Args:
        source: Name of the source, for the message.
        counts: Examples of each label (``ner``: sentences).
        needed: The minimum number for each label.
        why: How that number was computed, for the message.

    Raises:
        ConfigError: A label has fewer.
    """
    doubt = label_column_doubt(len(counts), sum(counts.values()))
    if doubt is not None and min(counts.values()) < needed:
        raise ConfigError(
            f"source {source!r}: {doubt} Give the column of the labels as `columns.label`; episodes need "
            f"{needed} examples of each label ({why})"
        )
    joined = joined_labels(counts)
    hint = "" if joined is None else f"; {joined[0]}: {several_labels_setting(joined[1])}"
    for label, count in counts.items():
        if count < needed:
            raise ConfigError(
                f"source {source!r}: label {label!r} has {count} example{'' if count == 1 else 's'} but "
                f"episodes need {needed} ({why}): lower the numbers under `evaluation`, add examples, or "
                f"drop the label with `drop_labels`{hint}"
            )
