"""Label spaces: the examples of one source and role, grouped by the labels episodes draw from.

Built once from a ``tokens`` shard set. Token lists stay the flat Arrow buffers they were read from
(one array of values and one of offsets), so a source costs no Python object a row.

    space = build_label_space(source, table, role="train", tokenize_names=tokenize)
    space.rows_of[0]            # row numbers of the examples of space.labels[0]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from metamapping.config.schema import Role, Source, TaskType, readable_label
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tags import OUTSIDE
from metamapping.corpus.word_shapes import windows_of
from metamapping.errors import ConfigError

TokenizeNames = Callable[[Sequence[str]], list[list[int]]]


@dataclass(frozen=True)
class LabelSpace:
    """The examples of one source in one role.

    ``labels``: as written, in sorted order; for ``ner`` the entity types, without "outside".
    ``label_names``: the words they are read as; ``name_tokens``: those words' token ids.
    ``rows_of[c]``: rows of the examples of label ``c``; for ``ner`` of the sentences that hold it.
    ``label_of``: ``(num_rows,)`` label of each row; ``ner``: nothing.
    ``word_labels``: ``ner`` alone, for each word 0 for outside, ``1 + c`` for a word of type ``c``.
    ``word_shapes``: ``ner`` alone, ``(num_words, 3)`` a row, the shapes around each word.
    ``tags``: ``ner`` alone, the BIO tags of each row.
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
    word_starts: Ragged | None = None
    word_labels: Ragged | None = None
    word_shapes: Ragged | None = None
    tags: tuple[tuple[str, ...], ...] | None = None

    @property
    def is_ner(self) -> bool:
        """Whether labels stand at words instead of whole texts."""
        return self.word_starts is not None

    @property
    def counts(self) -> dict[str, int]:
        """Number of examples of each label; for ``ner`` of sentences that hold it."""
        return {label: len(rows) for label, rows in zip(self.labels, self.rows_of, strict=True)}

    @property
    def num_rows(self) -> int:
        """Number of examples."""
        return len(self.token_ids)


def build_label_space(
    source: Source, table: pa.Table, *, role: Role, tokenize_names: TokenizeNames
) -> LabelSpace:
    """The label space of ``source`` for ``role`` from its ``tokens`` table.

    Raises ``ConfigError`` when the source has no label left for the role, or fewer than two.
    """
    if source.task_type == "ner":
        return _ner_space(source, table, tokenize_names)
    labels = np.asarray(table["label"].to_pylist(), dtype=object)
    keep = sorted(set(labels))
    if source.label_roles:
        wanted = source.label_roles[role]
        missing = sorted(set(wanted) - set(keep))
        if missing:
            raise ConfigError(
                f"source {source.name!r}: label_roles.{role} lists {missing[0]!r}, but no example "
                f"has that label; labels there: {_shown(keep)}"
            )
        keep = sorted(wanted)
        table = table.filter(pa.array(np.isin(labels, keep)))
        labels = np.asarray(table["label"].to_pylist(), dtype=object)
    _check_num_labels(source, keep, least=2)
    label_of = np.searchsorted(np.asarray(keep, dtype=object), labels).astype(np.int32)
    return _space(
        source,
        table,
        keep,
        tokenize_names,
        rows_of=tuple(np.flatnonzero(label_of == c) for c in range(len(keep))),
        label_of=label_of,
    )


def _ner_space(source: Source, table: pa.Table, tokenize_names: TokenizeNames) -> LabelSpace:
    tags = tuple(tuple(row) for row in table["tags"].to_pylist())
    labels = sorted({tag[2:] for row in tags for tag in row if tag != OUTSIDE})
    _check_num_labels(source, labels, least=1)
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
    source: Source, table: pa.Table, labels: Sequence[str], tokenize_names: TokenizeNames, **items: Any
) -> LabelSpace:
    """What text and word spaces have in common; ``items``: what stands at the labels."""
    names = [readable_label(label, source.label_names) for label in labels]
    return LabelSpace(
        source=source.name,
        task_type=source.task_type,
        labels=tuple(labels),
        label_names=tuple(names),
        name_tokens=Ragged.from_lists(tokenize_names(names), np.int32),
        token_ids=Ragged.from_arrow(table["token_ids"], np.int32),
        segment_ids=Ragged.from_arrow(table["segment_ids"], np.int8),
        **items,
    )


def check_enough_examples(source: str, counts: Mapping[str, int], *, needed: int, why: str) -> None:
    """Refuse a source of which a label has fewer than ``needed`` examples (``ner``: sentences)."""
    for label, count in counts.items():
        if count < needed:
            raise ConfigError(
                f"source {source!r}: label {label!r} has {count} examples but episodes "
                f"need {needed} ({why}): lower the numbers under `evaluation`, add examples, or "
                "drop the label with `drop_labels`"
            )


def _check_num_labels(source: Source, labels: list[str], *, least: int) -> None:
    if len(labels) < least:
        raise ConfigError(
            f"source {source.name!r} has {len(labels)} labels ({_shown(labels)}), but episodes "
            f"need at least {least}: check `columns.label`, or leave the source out"
        )


def _shown(labels: list[str], limit: int = 8) -> str:
    more = f" and {len(labels) - limit} more" if len(labels) > limit else ""
    return ", ".join(labels[:limit]) + more if labels else "none"
