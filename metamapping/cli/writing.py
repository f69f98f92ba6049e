"""Write rows to a file or to standard output, in any format that ``metamapping.cli.records`` reads.

Writing a file is atomic: the rows are written to a temporary name, which is then renamed. Parquet keeps the
types of columns, CoNLL the order of words; CSV and TSV contain values other than texts as JSON.

    write_records(rows, "labelled.csv", "csv", columns=("text", "prediction"))
"""

from __future__ import annotations

import csv
import io
import json
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from metamapping.cli.options import Format
from metamapping.cli.records import STANDARD, TAGS, WORDS, Row
from metamapping.errors import listed


def write_records(
    rows: Iterable[Row],
    place: str,
    format: Format,
    *,
    columns: Sequence[str] = (),
    schema: pa.Schema | None = None,
) -> None:
    """Write all rows.

    Args:
        rows: The rows.
        place: A path, or `-` for standard output.
        format: The format.
        columns: Header of CSV and TSV; default: the columns of the first row.
        schema: Types of Parquet columns, as far as they are known.

    Raises:
        ValueError: The format cannot represent a row.
    """
    with _sink(place) as sink:
        if format == "parquet":
            _write_parquet(rows, sink, schema)
            return
        with _text(sink) as text, _csv_errors(format):
            if format == "jsonl":
                for row in rows:
                    text.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
            elif format == "conll":
                for number, row in enumerate(rows, start=1):
                    text.write(_sentence(row, number))
            else:
                _write_delimited(rows, text, columns, "\t" if format == "tsv" else ",")


@contextmanager
def _csv_errors(format: Format) -> Iterator[None]:
    """Within the block, ``csv.Error`` becomes a ``ValueError`` that says how to proceed."""
    try:
        yield
    except csv.Error as error:  # a column name with a tab, or a row with a single empty field
        raise ValueError(f"{format} cannot represent these rows ({error}): write CSV or JSONL") from error


@contextmanager
def _sink(place: str) -> Iterator[BinaryIO]:
    if place == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        with pa.output_stream(str(temporary), compression="detect") as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _text(sink: BinaryIO) -> Iterator[TextIO]:
    # Half of a surrogate pair has no UTF-8; it is written as an escape, as JSON does.
    text = io.TextIOWrapper(sink, "utf-8", errors="backslashreplace", newline="")
    try:
        yield text
    finally:
        text.detach()  # flushes, without closing standard output


def _write_parquet(rows: Iterable[Row], sink: BinaryIO, schema: pa.Schema | None) -> None:
    table = table_of(rows)
    for field in schema or ():
        if field.name in table.column_names:
            place = table.column_names.index(field.name)
            table = table.set_column(place, field, table.column(field.name).cast(field.type))
    pq.write_table(table, sink)


def write_table(table: pa.Table, place: str) -> None:
    """Write a table as Parquet to a path, or to standard output for `-`."""
    with _sink(place) as sink:
        pq.write_table(table, sink)


def table_of(rows: Iterable[Row]) -> pa.Table:
    """The rows as a table; columns without any value have the type string."""
    # All rows at once, because the types of the columns depend on all of them.
    table = pa.Table.from_pylist(list(rows))
    for place, field in enumerate(table.schema):
        if pa.types.is_null(field.type):  # such as predictions if all are below the threshold
            table = table.set_column(
                place, field.with_type(pa.string()), table.column(place).cast(pa.string())
            )
    return table


def _write_delimited(rows: Iterable[Row], text: TextIO, columns: Sequence[str], delimiter: str) -> None:
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator="\n",
        quoting=csv.QUOTE_MINIMAL if delimiter == "," else csv.QUOTE_NONE,
        quotechar='"' if delimiter == "," else None,
    )
    if columns:
        writer.writerow(columns)
    for number, row in enumerate(rows, start=1):
        if not columns:
            columns = list(row)
            writer.writerow(columns)
        if unknown := [name for name in row if name not in columns]:
            raise ValueError(
                f"row {number} has {listed(unknown)}, which the rows before it do not have: write JSONL"
            )
        fields = [_field(row.get(name)) for name in columns]
        if delimiter == "\t" and any(set(field) & set("\t\r\n") for field in fields):
            raise ValueError(
                f"row {number} has a tab or a line break in a field, which TSV cannot represent: write CSV"
            )
        writer.writerow(fields)


def _field(value: Any) -> str:
    """Words and tags are separated by spaces, as they are read; numbers and nested values are JSON."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _sentence(row: Row, number: int) -> str:
    """One word per line, its tag if there is one, and the prediction last, as conlleval reads it."""
    if WORDS not in row:
        raise ValueError(f"row {number} has no {WORDS!r}, but {listed(row)}: CoNLL needs words; write JSONL")
    columns = [row[name] for name in (WORDS, TAGS, "prediction") if row.get(name) is not None]
    split = [column.split() if isinstance(column, str) else column for column in columns]
    return "".join("\t".join(fields) + "\n" for fields in zip(*split, strict=True)) + "\n"
