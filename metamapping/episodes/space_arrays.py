"""Space arrays: what a label space holds of its rows, as flat arrays in memory or in files.

Input: the batches of a ``tokens`` shard set, read twice: for the labels, then for the rows. Output: one flat
array for each kind of value. In memory they are ordinary arrays; in a folder each is a file that any number
of processes map, so that only the rows which episodes draw take memory. Collecting them takes memory for a
batch, and for a million numbers of rows, however many rows there are.

    collect_arrays(source, read, role="train", folder=folder)      # read(columns) yields record batches
    arrays = open_arrays(folder)
    arrays["token_ids"]                                            # int32 (num_tokens,), memory-mapped
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from metamapping.config.sources import Role, Source
from metamapping.corpus.label_counts import check_grades
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tags import OUTSIDE
from metamapping.corpus.word_shapes import windows_of
from metamapping.episodes.growing_arrays import TYPES, GrowingArrays
from metamapping.episodes.role_labels import check_labels, labels_of_role
from metamapping.episodes.rows_of_labels import (
    group_rows,
    labels_of_sentences,
    labels_of_sets,
    labels_of_texts,
)
from metamapping.storage.flat_arrays import map_array

# Names of columns in, the rows of the shard set in batches out; called more than once.
ReadBatches = Callable[[list[str]], Iterable[pa.RecordBatch]]

_OFFSETS = {"token_ids": "token_offsets", "segment_ids": "token_offsets", "label_sets": "set_offsets"}
_NAMES = "names.parquet"
_NAMES_SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),  # label, other_label (of another role) or tag
        pa.field("name", pa.string(), nullable=False),
        pa.field("count", pa.int64()),  # rows of a label
    ]
)


@dataclass(frozen=True)
class SpaceArrays:
    """The labels of one source and role, and the arrays of its rows.

    Attributes:
        labels: The labels of the role, sorted, or in the order of the grades.
        counts: The number of rows of each label.
        other_labels: Labels of the source that belong to other roles.
        tag_names: ``ner`` only: the tags, sorted.
        arrays: The arrays by name.
    """

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    other_labels: tuple[str, ...]
    tag_names: tuple[str, ...]
    arrays: dict[str, np.ndarray]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def ragged(self, name: str) -> Ragged:
        """Return the values of each row.

        Args:
            name: An array that has any number of values for a row, such as ``token_ids``.
        """
        offsets = self.arrays[_OFFSETS.get(name, "word_offsets")]
        values = self.arrays[name]
        return Ragged(values.reshape(-1, 3) if name == "word_shapes" else values, offsets)

    @property
    def rows_of(self) -> tuple[np.ndarray, ...]:
        """The rows of each label, in ascending order."""
        ends = np.cumsum(self.counts)
        rows = self.arrays["label_rows"]
        return tuple(rows[end - count : end] for count, end in zip(self.counts, ends, strict=True))


def collect_arrays(
    source: Source, read: ReadBatches, *, role: Role, folder: Path | None = None
) -> SpaceArrays:
    """Collect the arrays of one source and role.

    Args:
        source: Its ``label_roles`` may restrict the labels of the role.
        read: Yields the rows of the source's ``tokens`` shard set.
        role: Training, validation or test.
        folder: An empty folder to write the arrays into; by default they are collected in memory.

    Returns:
        The arrays.

    Raises:
        ConfigError: The role has fewer than two labels (``ner``: no entity type), or a listed label that
            no example has.
    """
    growing = GrowingArrays(folder)
    if source.task_type == "ner":
        tag_names = _distinct(pc.list_flatten(batch["tags"]) for batch in read(["tags"]))
        found = labels = sorted({tag[2:] for tag in tag_names if tag != OUTSIDE})
        check_labels(source, found, labels)
        _append_sentences(growing, read, tag_names, labels)
        counts = group_rows(growing, len(labels), lambda: labels_of_sentences(growing, len(labels)))
    elif source.multi_label:
        tag_names = []
        found = labels = _distinct(pc.list_flatten(batch["labels"]) for batch in read(["labels"]))
        check_labels(source, found, labels)
        _append_label_sets(growing, read, labels)
        counts = group_rows(growing, len(labels), lambda: labels_of_sets(growing))
    else:
        tag_names = []
        found = _distinct(batch["label"] for batch in read(["label"]))
        labels = labels_of_role(source, found, role)
        check_labels(source, found, labels)
        if source.ordinal is not None:
            check_grades(source, labels)
            labels = [grade for grade in source.ordinal if grade in set(labels)]
        _append_texts(growing, read, labels)
        counts = group_rows(growing, len(labels), lambda: labels_of_texts(growing))
    others = tuple(label for label in found if label not in set(labels))
    collected = SpaceArrays(tuple(labels), tuple(counts), others, tuple(tag_names), growing.finished())
    if folder is not None:
        _write_names(collected, folder)
    return collected


def open_arrays(folder: Path) -> SpaceArrays:
    """Map the arrays that ``collect_arrays`` wrote.

    Args:
        folder: The folder, which must not change while the arrays are in use.
    """
    with pq.ParquetFile(folder / _NAMES) as file:
        names = file.read().to_pylist()
    of_kind = {
        kind: tuple(row["name"] for row in names if row["kind"] == kind)
        for kind in ("label", "other_label", "tag")
    }
    counts = tuple(row["count"] for row in names if row["kind"] == "label")
    arrays = {name: map_array(folder / name, TYPES[name]) for name in TYPES if (folder / name).exists()}
    return SpaceArrays(of_kind["label"], counts, of_kind["other_label"], of_kind["tag"], arrays)


def _append_texts(growing: GrowingArrays, read: ReadBatches, labels: Sequence[str]) -> None:
    known = pa.array(labels, pa.string())
    for batch in read(["label", "token_ids", "segment_ids"]):
        numbers = pc.index_in(batch["label"], value_set=known)
        if numbers.null_count:  # labels of other roles
            batch, numbers = batch.filter(numbers.is_valid()), numbers.drop_null()
        growing.append("label_of", numbers.to_numpy())
        _append_tokens(growing, pa.Table.from_batches([batch]))


def _append_label_sets(growing: GrowingArrays, read: ReadBatches, labels: Sequence[str]) -> None:
    known, first = pa.array(labels, pa.string()), 0
    growing.append("rows_without_labels", np.zeros(0, np.int64))
    for batch in read(["labels", "token_ids", "segment_ids"]):
        lengths = pc.list_value_length(batch["labels"]).to_numpy()
        numbers = pc.index_in(pc.list_flatten(batch["labels"]), value_set=known).to_numpy()
        sets = Ragged(numbers, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
        growing.append_rows("set_offsets", label_sets=sets)
        growing.append("rows_without_labels", first + np.flatnonzero(lengths == 0))
        _append_tokens(growing, pa.Table.from_batches([batch]))
        first += batch.num_rows


def _append_sentences(
    growing: GrowingArrays, read: ReadBatches, tag_names: Sequence[str], labels: Sequence[str]
) -> None:
    known = pa.array(tag_names, pa.string())
    number_of = {label: number for number, label in enumerate(labels)}
    label_of_tag = np.asarray(
        [0 if tag == OUTSIDE else 1 + number_of[tag[2:]] for tag in tag_names], np.int32
    )
    for batch in read(["tags", "token_ids", "segment_ids", "word_starts", "word_shapes"]):
        rows = pa.Table.from_batches([batch])
        _append_tokens(growing, rows)
        starts = Ragged.from_arrow(rows["word_starts"], np.int32)
        shapes = Ragged.from_arrow(rows["word_shapes"], np.int8)
        tags = pc.index_in(pc.list_flatten(batch["tags"]), value_set=known).to_numpy()
        growing.append_rows("word_offsets", word_starts=starts)
        growing.append("word_shapes", windows_of(shapes.values, shapes.offsets))
        growing.append("tag_numbers", tags)
        growing.append("word_labels", label_of_tag[tags])


def _append_tokens(growing: GrowingArrays, rows: pa.Table) -> None:
    growing.append_rows(
        "token_offsets",
        token_ids=Ragged.from_arrow(rows["token_ids"], np.int32),
        segment_ids=Ragged.from_arrow(rows["segment_ids"], np.int8),
    )


def _distinct(columns: Iterable[pa.Array]) -> list[str]:
    """The different strings of a column, sorted."""
    return sorted({value for column in columns for value in pc.unique(column).to_pylist()})


def _write_names(collected: SpaceArrays, folder: Path) -> None:
    names = [
        *(
            {"kind": "label", "name": n, "count": c}
            for n, c in zip(collected.labels, collected.counts, strict=True)
        ),
        *({"kind": "other_label", "name": name} for name in collected.other_labels),
        *({"kind": "tag", "name": name} for name in collected.tag_names),
    ]
    pq.write_table(pa.Table.from_pylist(names, schema=_NAMES_SCHEMA), folder / _NAMES)
