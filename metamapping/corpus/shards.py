"""Shards: the Parquet files that hold records, examples and tokens.

There are three kinds of shard set, each a folder of ``part-00000.parquet`` and so on with a manifest:
``records`` (the rows of the source, unchanged), ``examples`` (cleaned texts and labels) and ``tokens``
(the same rows as token ids). Rejected rows are stored next to the shards in ``rejects.parquet``. The
schemas are constants; ``docs/data-format.md`` explains each column. Only the number of a row determines
its shard and row group, so the same rows give the same bytes however they were batched.

    with ShardWriter(folder, TOKENS) as shards:
        shards.write(table)
    table = read_shards(folder, columns=["token_ids", "label"])
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA_VERSION = 2
ROWS_PER_GROUP = 10_000
ROWS_PER_SHARD = 200_000


def _schema(kind: str, fields: list[pa.Field]) -> pa.Schema:
    metadata = {"metamapping.kind": kind, "metamapping.schema_version": str(SCHEMA_VERSION)}
    return pa.schema(fields, metadata=metadata)


RECORDS = _schema(
    "records",
    [
        pa.field("row", pa.int64(), nullable=False),  # number of the record in its source, from 0
        pa.field("line", pa.int64()),  # line of the file, from 1; null for formats without lines
        pa.field("file", pa.string()),
        pa.field("text", pa.string()),
        pa.field("text_pair", pa.string()),
        pa.field("label", pa.string()),
        pa.field("words", pa.list_(pa.string())),  # ner only
        pa.field("tags", pa.list_(pa.string())),  # ner only: as the source writes them
        pa.field("fault", pa.string()),  # why the row could not be read; text is then the raw row
    ],
)

EXAMPLES = _schema(
    "examples",
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),  # number of the record in its source, from 0
        pa.field("text", pa.string(), nullable=False),  # for ner: the words joined by one space
        pa.field("text_pair", pa.string()),
        pa.field("label", pa.string()),  # null for ner
        pa.field("words", pa.list_(pa.string())),  # ner only
        pa.field("tags", pa.list_(pa.string())),  # ner only: BIO, one for each word
    ],
)

TOKENS = _schema(
    "tokens",
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("tags", pa.list_(pa.string())),  # ner: of the words that were not truncated
        pa.field("token_ids", pa.list_(pa.int32()), nullable=False),  # with special tokens, unpadded
        pa.field("segment_ids", pa.list_(pa.int8()), nullable=False),  # 1 in the second text of a pair
        pa.field("word_starts", pa.list_(pa.int32())),  # ner: position of each such word's first piece
        pa.field("word_shapes", pa.list_(pa.int8())),  # ner: its shape, a number into `word_shapes.SHAPES`
    ],
)

REJECTS = _schema(
    "rejects",
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("line", pa.int64()),  # line of the file, from 1; null for formats without lines
        pa.field("file", pa.string()),
        pa.field("text", pa.string()),
        pa.field("label", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
    ],
)


KEYS = _schema(
    "keys",
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("text_key", pa.uint64(), nullable=False),  # equal texts have equal keys
        pa.field("signature", pa.binary()),  # MinHash as little-endian uint32; null if there is none
    ],
)


LABELS = pa.field("labels", pa.list_(pa.string()))  # sources with `multi_label` only: of each text


def with_label_lists(schema: pa.Schema) -> pa.Schema:
    """Return the schema of the same kind of shards for a source whose texts have any number of labels.

    ``labels`` has the labels; ``label`` has them as JSON, in alphabetical order, so that texts can be
    compared by their labels. Shards of other sources do not have the column.

    Args:
        schema: ``RECORDS``, ``EXAMPLES`` or ``TOKENS``.
    """
    return schema.append(LABELS)


def schema_as_in(folder: str | Path, schema: pa.Schema) -> pa.Schema:
    """Return a schema with label lists if the shards of a folder have them, else unchanged.

    Args:
        folder: The folder of the shards of an earlier stage of the same source.
        schema: The kind of shards to write.
    """
    present = pq.read_schema(min(Path(folder).glob("part-*.parquet"))).names
    return with_label_lists(schema) if LABELS.name in present else schema


def rejects_of(rows: pa.Table, reasons: pa.Array) -> pa.Table:
    """Return rejected rows of examples or tokens with the schema ``REJECTS``.

    Line and file are null, because examples and tokens do not have them.

    Args:
        rows: The rows.
        reasons: Why each row is rejected.
    """
    line, file = pa.nulls(rows.num_rows, pa.int64()), pa.nulls(rows.num_rows, pa.string())
    columns = [rows["source"], rows["row"], line, file, rows["text"], rows["label"], reasons]
    return pa.table(columns, schema=REJECTS)


class ParquetFile:
    """A Parquet file that is being written, in row groups of ``ROWS_PER_GROUP`` rows.

    Args:
        path: The file to write.
        schema: The columns of all tables.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.schema = schema
        self.num_rows = 0
        # Signatures are random numbers: neither a dictionary nor compression makes them smaller.
        is_random = "signature" in schema.names
        codec = "none" if is_random else "zstd"
        self._file = pq.ParquetWriter(path, schema, compression=codec, use_dictionary=not is_random)
        self._pending: list[pa.Table] = []
        self._num_pending = 0

    def write(self, table: pa.Table) -> None:
        """Append a table with the columns of the schema.

        Args:
            table: Any number of rows. They are written once a whole row group is there.
        """
        self._pending.append(table)
        self._num_pending += table.num_rows
        self.num_rows += table.num_rows
        if self._num_pending >= ROWS_PER_GROUP:
            pending = pa.concat_tables(self._pending)
            num_full = pending.num_rows - pending.num_rows % ROWS_PER_GROUP
            self._file.write_table(pending.slice(0, num_full), row_group_size=ROWS_PER_GROUP)
            self._pending = [pending.slice(num_full)]
            self._num_pending = pending.num_rows - num_full

    def close(self) -> None:
        """Write the remaining rows and the footer."""
        if self._num_pending:
            self._file.write_table(pa.concat_tables(self._pending), row_group_size=ROWS_PER_GROUP)
        self._file.close()

    def __enter__(self) -> ParquetFile:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()


class ShardWriter:
    """A shard set that is being written; it has at least one shard, which may be empty.

    Args:
        folder: An existing folder for the shards.
        schema: The columns of all tables.
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.folder = folder
        self.schema = schema
        self.num_rows = 0
        self._num_shards = 0
        self._shard = self._next_shard()

    def write(self, table: pa.Table | pa.RecordBatch) -> None:
        """Append rows, which may be divided among several shards.

        Args:
            table: Rows with at least the columns of the schema.
        """
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        table = table.select(self.schema.names).cast(self.schema)
        self.num_rows += table.num_rows
        while table.num_rows:
            if self._shard.num_rows == ROWS_PER_SHARD:
                self._shard.close()
                self._shard = self._next_shard()
            fits = table.slice(0, ROWS_PER_SHARD - self._shard.num_rows)
            self._shard.write(fits)
            table = table.slice(fits.num_rows)

    def _next_shard(self) -> ParquetFile:
        path = self.folder / f"part-{self._num_shards:05d}.parquet"
        self._num_shards += 1
        return ParquetFile(path, self.schema)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shard.close()


def read_shards(folder: str | Path, *, columns: list[str] | None = None) -> pa.Table:
    """Return all rows of a shard set in order, memory-mapped.

    Args:
        folder: The folder of the shards.
        columns: The columns to read; by default all.
    """
    parts = sorted(Path(folder).glob("part-*.parquet"))
    # `pq.read_table` first looks for partitioned data sets, which takes longer than reading a small source.
    return pa.concat_tables(pq.ParquetFile(part, memory_map=True).read(columns=columns) for part in parts)


def count_rows(folder: str | Path) -> int:
    """Return the number of rows of a shard set, which no row is read for.

    Args:
        folder: The folder of the shards.
    """
    return sum(pq.read_metadata(part).num_rows for part in sorted(Path(folder).glob("part-*.parquet")))


def read_rows(folder: str | Path, rows: np.ndarray, *, columns: list[str]) -> pa.Table:
    """Return some rows of a shard set, with memory for these rows and one batch.

    Args:
        folder: The folder of the shards.
        rows: Numbers of rows, from 0, ascending.
        columns: The columns to read.
    """
    found, first = [], 0
    for batch in iterate_shards(folder, columns=columns):
        start, end = np.searchsorted(rows, [first, first + batch.num_rows])
        found.append(batch.take(pa.array(rows[start:end] - first)))
        first += batch.num_rows
    if not found:
        return read_shards(folder, columns=columns)
    return pa.Table.from_batches(found)


def iterate_shards(
    folder: str | Path, *, columns: list[str] | None = None, num_rows: int = ROWS_PER_GROUP
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a shard set in order, in batches, with bounded memory.

    Args:
        folder: The folder of the shards.
        columns: The columns to read; by default all.
        num_rows: The largest number of rows in a batch.
    """
    for part in sorted(Path(folder).glob("part-*.parquet")):
        with pq.ParquetFile(part) as file:
            yield from file.iter_batches(batch_size=num_rows, columns=columns)
