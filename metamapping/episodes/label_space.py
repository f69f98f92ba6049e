"""Label spaces: the examples of one source and role, grouped by the labels that episodes draw from.

A label space is built once from a ``tokens`` shard set and never changed. Token lists stay the flat Arrow
buffers they were read from (one array of values and one of offsets), so that a row needs no Python object.

    space = build_label_space(source, table, role="train", tokenize_names=tokenize)
    space.rows_of[0]            # row numbers of the examples of space.labels[0]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from metamapping.config.labels import label_column_doubt
from metamapping.config.sources import Role, Source, TaskType, readable_label
from metamapping.corpus.label_counts import check_grades
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tags import OUTSIDE
from metamapping.corpus.word_shapes import windows_of
from metamapping.errors import ConfigError

# Readable label names in, the token ids of each out.
TokenizeNames = Callable[[Sequence[str]], list[list[int]]]


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
    tags: tuple[tuple[str, ...], ...] | None = None

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
    if source.task_type == "ner":
        return _ner_space(source, table, tokenize_names)
    if source.multi_label:
        return _multi_label_space(source, table, tokenize_names)
    labels = np.asarray(table["label"].to_pylist(), dtype=object)
    keep = sorted(set(labels))
    _check_label_names(source, keep)
    if source.label_roles:
        wanted = source.label_roles[role]
        missing = sorted(set(wanted) - set(keep))
        if missing:
            raise ConfigError(
                f"source {source.name!r}: label_roles.{role} lists {missing[0]!r}, but no example "
                f"has that label; the labels of the source: {_listed(keep)}"
            )
        keep = sorted(wanted)
        table = table.filter(pa.array(np.isin(labels, keep)))
        labels = np.asarray(table["label"].to_pylist(), dtype=object)
    _check_num_labels(source, keep, needed=2)
    if source.ordinal is not None:
        check_grades(source, keep)
        keep = [grade for grade in source.ordinal if grade in set(keep)]
    number_of = {label: number for number, label in enumerate(keep)}
    label_of = np.fromiter((number_of[label] for label in labels), np.int32, len(labels))
    return _space(
        source,
        table,
        keep,
        tokenize_names,
        rows_of=tuple(np.flatnonzero(label_of == c) for c in range(len(keep))),
        label_of=label_of,
        is_ordinal=source.ordinal is not None,
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
    for label, count in counts.items():
        if count < needed:
            raise ConfigError(
                f"source {source!r}: label {label!r} has {count} examples but episodes "
                f"need {needed} ({why}): lower the numbers under `evaluation`, add examples, or "
                "drop the label with `drop_labels`"
            )


def _check_label_names(source: Source, labels: list[str]) -> None:
    """Raise ``ConfigError`` for a name of a label that no example has; long sources are checked only here."""
    unknown = sorted(set(source.label_names) - set(labels) - set(source.drop_labels))
    if unknown:
        raise ConfigError(
            f"source {source.name!r}: `label_names` names {_listed(unknown)}, but no example has such a "
            f"label; the labels of the source: {_listed(labels)}: correct or remove the name"
        )


def _multi_label_space(source: Source, table: pa.Table, tokenize_names: TokenizeNames) -> LabelSpace:
    lists = table["labels"].to_pylist()
    labels = sorted({label for row in lists for label in row})
    _check_label_names(source, labels)
    _check_num_labels(source, labels, needed=2)
    number_of = {label: number for number, label in enumerate(labels)}
    sets = Ragged.from_lists([[number_of[label] for label in row] for row in lists], np.int32)
    row_of = np.repeat(np.arange(len(sets)), sets.lengths)
    return _space(
        source,
        table,
        labels,
        tokenize_names,
        rows_of=tuple(row_of[sets.values == c] for c in range(len(labels))),
        label_sets=sets,
        rows_without_labels=np.flatnonzero(sets.lengths == 0),
    )


def _ner_space(source: Source, table: pa.Table, tokenize_names: TokenizeNames) -> LabelSpace:
    tags = tuple(tuple(row) for row in table["tags"].to_pylist())
    labels = sorted({tag[2:] for row in tags for tag in row if tag != OUTSIDE})
    _check_label_names(source, labels)
    _check_num_labels(source, labels, needed=1)
    shapes = Ragged.from_arrow(table["word_shapes"], np.int8)
    number = {label: c + 1 for c, label in enumerate(labels)}
    word_labels = [[0 if tag == OUTSIDE else number[tag[2:]] for tag in row] for row in tags]
    present = [set(row) for row in word_labels]
    return _space(
        source,
        table,
        labels,
        tokenize_names,
        rows_of=tuple(
            np.asarray([i for i, row in enumerate(present) if c + 1 in row], dtype=np.int64)
            for c in range(len(labels))
        ),
        word_starts=Ragged.from_arrow(table["word_starts"], np.int32),
        word_labels=Ragged.from_lists(word_labels, np.int32),
        word_shapes=Ragged(windows_of(shapes.values, shapes.offsets), shapes.offsets),
        tags=tags,
    )


def _space(
    source: Source, table: pa.Table, labels: Sequence[str], tokenize_names: TokenizeNames, **fields: Any
) -> LabelSpace:
    """A label space from what texts and words have in common, and the ``fields`` of one of them."""
    names = [readable_label(label, source.label_names) for label in labels]
    return LabelSpace(
        source=source.name,
        task_type=source.task_type,
        labels=tuple(labels),
        label_names=tuple(names),
        name_tokens=Ragged.from_lists(tokenize_names(names), np.int32),
        token_ids=Ragged.from_arrow(table["token_ids"], np.int32),
        segment_ids=Ragged.from_arrow(table["segment_ids"], np.int8),
        **fields,
    )


def _check_num_labels(source: Source, labels: list[str], *, needed: int) -> None:
    if len(labels) < needed:
        raise ConfigError(
            f"source {source.name!r} has {len(labels)} labels ({_listed(labels)}), but episodes "
            f"need at least {needed}: check `columns.label`, or leave the source out"
        )


def _listed(labels: list[str], limit: int = 8) -> str:
    more = f" and {len(labels) - limit} more" if len(labels) > limit else ""
    return ", ".join(labels[:limit]) + more if labels else "none"
