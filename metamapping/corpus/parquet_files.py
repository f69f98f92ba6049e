"""Parquet files of others: read in batches that are small whatever a value of the file stands for.

In a Parquet file one long text may stand for the values of a billion rows. So texts are read as dictionaries,
whose rows are numbers; how long they are is known before they are unpacked, and a batch holds
``BATCH_BYTES`` at most, or a single row. A file of too many values for its size is refused by its metadata.

    with open_parquet(path, source, path) as file:
        for batch in file.batches(["text", "label"]):
            print(batch.num_rows)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from metamapping.config.sources import Source
from metamapping.corpus.unpacking import check_unpacked
from metamapping.errors import ConfigError

BATCH_ROWS, BATCH_BYTES = 2_000, 64_000_000
_DICTIONARIES = {"RLE_DICTIONARY", "PLAIN_DICTIONARY"}
# Where texts within lists cannot be read as a dictionary.
_FEW_ROWS = 64
# One paragraph that stands in a thousand rows is not suspicious.
_MAX_RATIO = 1_000
# The least that a value takes in memory, an empty one too.
_VALUE_BYTES = 8


class ParquetRows:
    """An open Parquet file whose content is not trusted.

    Args:
        file: The open file.
        origin: What it was opened from.
        num_bytes: Size of the file.
        source: The source, for error messages.
        path: The file, for error messages.

    Attributes:
        schema: Names and types of the columns.
    """

    def __init__(
        self, file: pq.ParquetFile, origin: Path | pa.Buffer, num_bytes: int, source: Source, path: Path
    ) -> None:
        self._file, self._origin, self._num_bytes = file, origin, num_bytes
        self._source, self._path = source, path
        self.schema: pa.Schema = file.schema_arrow

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the file.

        Args:
            columns: The columns to read; ``None`` for all.

        Yields:
            Batches of at most ``BATCH_ROWS`` rows and ``BATCH_BYTES`` bytes, or of one row.

        Raises:
            ConfigError: The file or a row of it unpacks to too much.
        """
        self._check_metadata(columns)
        num_rows = num_unpacked = 0
        for row_group in range(self._file.num_row_groups):
            for batch in self._batches_of(row_group, columns):
                for part, num_bytes in self._small(batch, num_rows):
                    num_unpacked += num_bytes
                    check_unpacked(
                        num_unpacked, self._num_bytes, self._source, self._path, max_ratio=_MAX_RATIO
                    )
                    num_rows += part.num_rows
                    yield part

    def read(self) -> pa.Table:
        """Read all rows of all columns."""
        return pa.Table.from_batches(self.batches(), schema=self.schema)

    def _check_metadata(self, columns: Sequence[str] | None) -> None:
        num_unpacked = 0
        for row_group in range(self._file.num_row_groups):
            about = self._file.metadata.row_group(row_group)
            for place in range(about.num_columns):
                chunk = about.column(place)
                if columns is None or any(_is_in(chunk.path_in_schema, name) for name in columns):
                    num_unpacked += max(chunk.total_uncompressed_size, _VALUE_BYTES * chunk.num_values)
        check_unpacked(num_unpacked, self._num_bytes, self._source, self._path, max_ratio=_MAX_RATIO)

    def _batches_of(self, row_group: int, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        """The batches of a row group, with dictionaries where they can be read."""
        about = self._file.metadata.row_group(row_group)
        chunks = [about.column(place) for place in range(about.num_columns)]
        names = self.schema.names if columns is None else columns
        readable = [name for name in names if all(_has_dictionaries(f.type) for f in self._fields(name))]
        read = [chunk for chunk in chunks if any(_is_in(chunk.path_in_schema, name) for name in names)]
        texts = [chunk for chunk in read if chunk.physical_type == "BYTE_ARRAY"]
        # In this encoding a value may repeat the one before, and PyArrow reads no dictionaries from it. A
        # value is at most as long as the whole column.
        repeating = [chunk for chunk in texts if "DELTA_BYTE_ARRAY" in chunk.encodings]
        longest = max((chunk.total_uncompressed_size for chunk in repeating), default=1)
        num_rows = max(1, min(BATCH_ROWS, BATCH_BYTES // longest))
        leaves = [
            chunk.path_in_schema
            for chunk in texts
            if _DICTIONARIES & set(chunk.encodings)
            and chunk not in repeating
            and any(_is_in(chunk.path_in_schema, name) for name in readable)
        ]
        num_done = 0
        with pq.ParquetFile(self._origin, metadata=self._file.metadata, read_dictionary=leaves) as file:
            try:
                for batch in file.iter_batches(num_rows, row_groups=[row_group], columns=columns):
                    num_done += batch.num_rows
                    yield batch
                return
            except pa.ArrowNotImplementedError:
                # A column of lists that begins with a dictionary and ends without one.
                pass
        for batch in self._file.iter_batches(
            min(num_rows, _FEW_ROWS), row_groups=[row_group], columns=columns
        ):
            num_new = max(0, batch.num_rows - num_done)
            num_done -= batch.num_rows - num_new
            if num_new:
                yield batch.slice(batch.num_rows - num_new)

    def _fields(self, name: str) -> list[pa.Field]:
        return [self.schema.field(i) for i in self.schema.get_all_field_indices(name)]

    def _small(self, batch: pa.RecordBatch, first_row: int) -> Iterator[tuple[pa.RecordBatch, int]]:
        """The same rows with their texts, in parts of at most ``BATCH_BYTES``, and the bytes of each part."""
        num_bytes = sum(map(unpacked_bytes, batch.columns))
        if num_bytes > BATCH_BYTES and batch.num_rows > 1:
            half = batch.num_rows // 2
            yield from self._small(batch.slice(0, half), first_row)
            yield from self._small(batch.slice(half), first_row + half)
            return
        if num_bytes > BATCH_BYTES:
            raise ConfigError(
                f"source {self._source.name!r}: {self._path}: row {first_row + 1} has {num_bytes} bytes when "
                f"it is unpacked, and no row may have more than {BATCH_BYTES}: shorten or remove it"
            )
        wanted = self.schema
        if batch.num_columns < len(wanted):
            wanted = pa.schema([wanted.field(name) for name in batch.schema.names])
        yield (batch if batch.schema.equals(wanted) else batch.cast(wanted)), num_bytes


@contextmanager
def open_parquet(origin: Path | bytes, source: Source, path: Path) -> Iterator[ParquetRows]:
    """Open a Parquet file.

    Args:
        origin: The path of the file, or its content.
        source: The source, for error messages.
        path: The file, for error messages.

    Yields:
        The file, which can be read within the block.

    Raises:
        OSError: It cannot be opened.
        pa.ArrowException: It is not a Parquet file.
    """
    opened = origin if isinstance(origin, Path) else pa.py_buffer(origin)
    num_bytes = origin.stat().st_size if isinstance(origin, Path) else len(origin)
    with pq.ParquetFile(opened) as file:
        yield ParquetRows(file, opened, num_bytes, source, path)


def unpacked_bytes(array: pa.Array) -> int:
    """Return the number of bytes of an array's values with every text of a dictionary as often as it occurs.

    Args:
        array: An array whose dictionaries may be in lists and structs.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        if not _is_text(kind.value_type):
            return int(array.nbytes)
        lengths = pc.binary_length(array.dictionary).fill_null(0).to_numpy(zero_copy_only=False)
        numbers = array.indices.drop_null().to_numpy(zero_copy_only=False)
        counts = np.bincount(numbers, minlength=len(lengths)) if len(numbers) else np.zeros(len(lengths))
        return int(counts @ lengths.astype(np.float64)) + _VALUE_BYTES * len(array)
    if _is_list(kind):
        return unpacked_bytes(array.flatten()) + _VALUE_BYTES * len(array)
    if pa.types.is_struct(kind):
        return sum(map(unpacked_bytes, array.flatten())) + _VALUE_BYTES * len(array)
    return int(array.nbytes)


def _is_in(path: str, column: str) -> bool:
    """Whether values with this path in the schema of a file belong to a column."""
    return path == column or path.startswith(f"{column}.")


def _has_dictionaries(kind: pa.DataType) -> bool:
    """Whether the texts of a column can be read as a dictionary; not in maps and types of extensions."""
    if _is_list(kind):
        return _has_dictionaries(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_has_dictionaries(field.type) for field in kind)
    return not (pa.types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
    )
