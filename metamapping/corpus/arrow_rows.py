"""Arrow rows: reads the rows of Parquet files, and of the Arrow batches of a data set of the hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metamapping.config.sources import Source
from metamapping.corpus.arrow_import import parquet_files
from metamapping.corpus.columns import SETTINGS, Header, Setting, find_name, nested_value, place_of
from metamapping.corpus.labelled_rows import tagged_row, with_indicated
from metamapping.corpus.rows import Row
from metamapping.corpus.source_columns import column_names
from metamapping.corpus.span_formats import ANSWER
from metamapping.corpus.text_files import check_pointer

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(path: Path, source: Source) -> Iterator[Row]:
    """Yield the rows of a Parquet file.

    Args:
        path: The file.
        source: Which columns to read; a dotted name is a field of a struct.

    Raises:
        ConfigError: The file cannot be read, or a column is missing.
    """
    check_pointer(path, source)
    with parquet_files().open_parquet(path, source, path) as file:
        for batch in file.batches(_top_level(file.schema, source, path)):
            yield from rows_of_batch(batch, source, path)


def rows_of_batch(batch: pa.RecordBatch, source: Source, place: Path | str) -> Iterator[Row]:
    """Yield the rows of an Arrow batch.

    Args:
        batch: The batch.
        source: Which columns to read; a dotted name is a field of a struct.
        place: The file or data set, for error messages.

    Raises:
        ConfigError: A column is missing.
    """
    columns: list[list[Any]] = []
    existing = batch.schema.names
    names = column_names(source, existing)
    for setting, name in zip(SETTINGS, names, strict=True):
        if name is None:
            columns.append([None] * batch.num_rows)
        else:
            columns.append(_values_of(batch, name, setting, source, place))
    label_columns = source.columns.label_columns
    if label_columns is not None:
        indicators = [_values_of(batch, name, "label_columns", source, place) for name in label_columns]
        columns[SETTINGS.index("label")] = [
            tuple(zip(label_columns, values, strict=True)) for values in zip(*indicators, strict=True)
        ]
    has_answers = existing.count(ANSWER) == 1
    columns.append(batch.column(ANSWER).to_pylist() if has_answers else [None] * batch.num_rows)
    for text, text_pair, label, answer in zip(*columns, strict=True):
        row = Row(None, text, text_pair, label)
        if label_columns is not None:
            row = with_indicated(row, label)
        yield tagged_row(row, source, names[2], answer=answer)


def _values_of(
    batch: pa.RecordBatch, name: str | int, setting: Setting, source: Source, place: Path | str
) -> list[Any]:
    """The values of a column of a batch, or of a field of a struct."""
    existing = batch.schema.names
    if isinstance(name, str) and find_name(name, existing) is None and name.split(".")[0] in existing:
        top, _, rest = name.partition(".")
        return [nested_value(value, rest) for value in batch.column(top).to_pylist()]
    values: list[Any] = batch.column(
        place_of(name, setting, Header(existing, str(place)), source)
    ).to_pylist()
    return values


def _top_level(schema: pa.Schema, source: Source, path: Path) -> list[str] | None:
    """The columns to read; ``None`` for all, where one is missing."""
    names, header = schema.names, Header(schema.names, str(path))
    wanted = []
    named: list[tuple[Setting, str | int | None]] = [
        *zip(SETTINGS, column_names(source, names), strict=True),
        *(("label_columns", each) for each in source.columns.label_columns or ()),
    ]
    for setting, name in named:
        if isinstance(name, int) or (name is not None and find_name(name, names) is not None):
            wanted.append(names[place_of(name, setting, header, source)])
        elif name is not None:
            wanted.append(name.split(".")[0])
    wanted = list(dict.fromkeys(wanted))
    if ANSWER in names and ANSWER not in wanted:
        wanted.append(ANSWER)
    is_known = set(wanted) <= set(names) and all(names.count(name) == 1 for name in wanted)
    return wanted if is_known else None
