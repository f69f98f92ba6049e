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

from collections.abc import Callable, Iterable, Iterator, Sequence
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
from metamapping.errors import ConfigError
from metamapping.storage.flat_arrays import append_array, map_array

# Names of columns in, the rows of the shard set in batches out; called more than once.
ReadBatches = Callable[[list[str]], Iterable[pa.RecordBatch]]

# The arrays and their types. ``word_`` arrays and ``tag_numbers`` are for `ner`; ``set_offsets``,
# ``label_sets`` and ``rows_without_labels`` for texts with any number of labels; ``label_of`` for all others.
_TYPES = {
    "token_offsets": "<i8",  # where each row begins in the next two, and where the last one ends
    "token_ids": "<i4",
    "segment_ids": "<i1",
    "label_of": "<i4",
    "set_offsets": "<i8",  # the same as ``token_offsets``, for the labels of each row
    "label_sets": "<i4",
    "rows_without_labels": "<i8",
    "label_rows": "<i8",  # the rows of the first label in ascending order, then those of the second …
    "word_offsets": "<i8",  # the same as ``token_offsets``, for the words of each row
    "word_starts": "<i4",
    "word_labels": "<i4",
    "word_shapes": "<i4",  # three for each word
    "tag_numbers": "<i4",
}
_OFFSETS = {"token_ids": "token_offsets", "segment_ids": "token_offsets", "label_sets": "set_offsets"}
_NAMES = "names.parquet"
_NAMES_SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),  # label, other_label (of another role) or tag
        pa.field("name", pa.string(), nullable=False),
        pa.field("count", pa.int64()),  # rows of a label
    ]
)
_PAIRS_PER_BUCKET = 1_000_000
_ROWS_PER_CHUNK = 200_000


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
    growing = _GrowingArrays(folder)
    if source.task_type == "ner":
        tag_names = _distinct(pc.list_flatten(batch["tags"]) for batch in read(["tags"]))
        found = labels = sorted({tag[2:] for tag in tag_names if tag != OUTSIDE})
        check_labels(source, found, labels)
        _append_sentences(growing, read, tag_names, labels)
        counts = _group_rows(growing, len(labels), lambda: _labels_of_sentences(growing, len(labels)))
    elif source.multi_label:
        tag_names = []
        found = labels = _distinct(pc.list_flatten(batch["labels"]) for batch in read(["labels"]))
        check_labels(source, found, labels)
        _append_label_sets(growing, read, labels)
        counts = _group_rows(growing, len(labels), lambda: _labels_of_sets(growing))
    else:
        tag_names = []
        found = _distinct(batch["label"] for batch in read(["label"]))
        labels = labels_of_role(source, found, role)
        check_labels(source, found, labels)
        if source.ordinal is not None:
            check_grades(source, labels)
            labels = [grade for grade in source.ordinal if grade in set(labels)]
        _append_texts(growing, read, labels)
        counts = _group_rows(growing, len(labels), lambda: _labels_of_texts(growing))
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
    arrays = {name: map_array(folder / name, _TYPES[name]) for name in _TYPES if (folder / name).exists()}
    return SpaceArrays(of_kind["label"], counts, of_kind["other_label"], of_kind["tag"], arrays)


def labels_of_role(source: Source, found: Sequence[str], role: Role) -> list[str]:
    """Return the labels of a source that belong to a role, sorted.

    Args:
        source: Its ``label_roles`` may restrict the labels of the role.
        found: All labels of its examples.
        role: Training, validation or test.

    Raises:
        ConfigError: A listed label has no example.
    """
    if not source.label_roles:
        return sorted(found)
    wanted = source.label_roles[role]
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise ConfigError(
            f"source {source.name!r}: label_roles.{role} lists {missing[0]!r}, but no example "
            f"has that label; the labels of the source: {_listed(found)}"
        )
    return sorted(wanted)


def check_labels(source: Source, found: Sequence[str], labels: Sequence[str]) -> None:
    """Check that a role has enough labels, and that ``label_names`` names none that does not exist.

    Args:
        source: The source.
        found: All labels of its examples.
        labels: The labels of the role.

    Raises:
        ConfigError: There are too few labels, or one that is named has no example. Sources that are too long
            to be counted before a run are checked only here.
    """
    unknown = sorted(set(source.label_names) - set(found) - set(source.drop_labels))
    if unknown:
        raise ConfigError(
            f"source {source.name!r}: `label_names` names {_listed(unknown)}, but no example has such a "
            f"label; the labels of the source: {_listed(found)}: correct or remove the name"
        )
    needed = 1 if source.task_type == "ner" else 2
    if len(labels) < needed:
        number = f"{len(labels)} label{'' if len(labels) == 1 else 's'}"
        raise ConfigError(
            f"source {source.name!r} has {number} ({_listed(labels)}), but episodes "
            f"need at least {needed}: check `columns.label`, or leave the source out"
        )


class _GrowingArrays:
    """Arrays to which batches are appended: in the files of a folder, or in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._parts: dict[str, list[np.ndarray]] = {}
        self._sizes: dict[str, int] = {}

    def append(self, name: str, values: np.ndarray) -> None:
        """Append values to the array of a name."""
        values = np.ascontiguousarray(values.reshape(-1), _TYPES[name])
        self._sizes[name] = self._sizes.get(name, 0) + len(values)
        if self._folder is None:
            self._parts.setdefault(name, []).append(values)
            return
        append_array(self._folder / name, values)

    def append_rows(self, offsets: str, **values: Ragged) -> None:
        """Append arrays that have as many values for each row, and where each row begins in them."""
        if offsets not in self._sizes:
            self.append(offsets, np.zeros(1, np.int64))
        first = next(iter(values))
        self.append(offsets, values[first].offsets[1:] + self._sizes.get(first, 0))
        for name, rows in values.items():
            self.append(name, rows.values)

    def of(self, name: str) -> np.ndarray:
        """An array to which nothing more will be appended."""
        if self._folder is not None:
            return map_array(self._folder / name, _TYPES[name])
        if len(self._parts[name]) > 1:
            self._parts[name] = [np.concatenate(self._parts[name])]
        return self._parts[name][0]

    def finished(self) -> dict[str, np.ndarray]:
        """All arrays."""
        return {name: self.of(name) for name in self._sizes}


def _append_texts(growing: _GrowingArrays, read: ReadBatches, labels: Sequence[str]) -> None:
    known = pa.array(labels, pa.string())
    for batch in read(["label", "token_ids", "segment_ids"]):
        numbers = pc.index_in(batch["label"], value_set=known)
        if numbers.null_count:  # labels of other roles
            batch, numbers = batch.filter(numbers.is_valid()), numbers.drop_null()
        growing.append("label_of", numbers.to_numpy())
        _append_tokens(growing, pa.Table.from_batches([batch]))


def _append_label_sets(growing: _GrowingArrays, read: ReadBatches, labels: Sequence[str]) -> None:
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
    growing: _GrowingArrays, read: ReadBatches, tag_names: Sequence[str], labels: Sequence[str]
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


def _append_tokens(growing: _GrowingArrays, rows: pa.Table) -> None:
    growing.append_rows(
        "token_offsets",
        token_ids=Ragged.from_arrow(rows["token_ids"], np.int32),
        segment_ids=Ragged.from_arrow(rows["segment_ids"], np.int8),
    )


# For each row in ascending order, its labels: label numbers and row numbers, both ``(num_pairs,)``.
_Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


def _labels_of_texts(growing: _GrowingArrays) -> _Pairs:
    labels = growing.of("label_of")
    for first in range(0, len(labels), _ROWS_PER_CHUNK):
        chunk = labels[first : first + _ROWS_PER_CHUNK]
        yield chunk, np.arange(first, first + len(chunk))


def _labels_of_sets(growing: _GrowingArrays) -> _Pairs:
    labels, offsets = growing.of("label_sets"), growing.of("set_offsets")
    for first in range(0, len(offsets) - 1, _ROWS_PER_CHUNK):
        ends = offsets[first : first + _ROWS_PER_CHUNK + 1]
        row_of = np.repeat(np.arange(first, first + len(ends) - 1), np.diff(ends))
        yield labels[ends[0] : ends[-1]], row_of


def _labels_of_sentences(growing: _GrowingArrays, num_labels: int) -> _Pairs:
    labels, offsets = growing.of("word_labels"), growing.of("word_offsets")
    for first in range(0, len(offsets) - 1, _ROWS_PER_CHUNK):
        ends = offsets[first : first + _ROWS_PER_CHUNK + 1]
        row_of = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        # A sentence counts once for each type that it contains.
        pairs = np.unique(row_of * (num_labels + 1) + labels[ends[0] : ends[-1]])
        rows, found = np.divmod(pairs, num_labels + 1)
        yield found[found > 0] - 1, first + rows[found > 0]


def _group_rows(growing: _GrowingArrays, num_labels: int, pairs: Callable[[], _Pairs]) -> list[int]:
    """Append ``label_rows``, and return the number of rows of each label.

    The pairs are read once for each bucket of labels, so that only those of one bucket are sorted in memory.
    """
    counts = np.zeros(num_labels, np.int64)
    for labels, _ in pairs():
        counts += np.bincount(labels, minlength=num_labels)
    for first, last in _buckets(counts):
        of_bucket = []
        for labels, rows in pairs():
            mine = (labels >= first) & (labels < last)
            if last == first + 1:  # One label may have any number of rows, which are in order already.
                growing.append("label_rows", rows[mine])
            else:
                of_bucket.append((labels[mine], rows[mine]))
        if of_bucket:
            labels, rows = (np.concatenate(part) for part in zip(*of_bucket, strict=True))
            growing.append("label_rows", rows[np.argsort(labels, kind="stable")])
    return [int(count) for count in counts]


def _buckets(counts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of labels with at most ``_PAIRS_PER_BUCKET`` rows together, or of one label."""
    first, total = 0, 0
    for label, count in enumerate(counts):
        if label > first and total + count > _PAIRS_PER_BUCKET:
            yield first, label
            first, total = label, 0
        total += count
    if len(counts):
        yield first, len(counts)


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


def _listed(labels: Sequence[str], limit: int = 8) -> str:
    more = f" and {len(labels) - limit} more" if len(labels) > limit else ""
    return ", ".join(labels[:limit]) + more if labels else "none"
