"""Writing: rows into a file or to standard output, in any of the formats that are read.

A file appears when it is whole: rows go under a temporary name, which is then renamed. Parquet and
CoNLL keep the columns' types and the words' order; CSV and TSV write what is no text as JSON.

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

    ``columns``: the header of CSV and TSV; nothing given: those of the first row. ``schema``: types
    of Parquet columns where they are known. Raises ``ValueError`` for what the format cannot hold.
    """
    with _sink(place) as sink:
        if format == "parquet":
            _write_parquet(rows, sink, schema)
            return
        with _text(sink) as text, _held(format):
            if format == "jsonl":
                for row in rows:
                    text.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
            elif format == "conll":
                for number, row in enumerate(rows, start=1):
                    text.write(_sentence(row, number))
            else:
                _write_delimited(rows, text, columns, "\t" if format == "tsv" else ",")


@contextmanager
def _held(format: Format) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:  # a column's name with a tab, or a row that is one empty field
        raise ValueError(f"{format} cannot hold these rows ({error}): write CSV or JSONL") from error


@contextmanager
def _sink(place: str) -> Iterator[BinaryIO]:
    if place == STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        with pa.output_stream(str(draft), compression="detect") as stream:
            yield stream
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _text(sink: BinaryIO) -> Iterator[TextIO]:
    # Half a character has no UTF-8; with a backslash it is what JSON writes for it.
    text = io.TextIOWrapper(sink, "utf-8", errors="backslashreplace", newline="")
    try:
        yield text
    finally:
        text.detach()  # flushes, and leaves standard output open


def _write_parquet(rows: Iterable[Row], sink: BinaryIO, schema: pa.Schema | None) -> None:
    # All rows at once: only then are the types of the columns known.
    table = pa.Table.from_pylist(list(rows))
    for place, field in enumerate(table.schema):
        if pa.types.is_null(field.type):  # such as predictions that are all below the threshold
            table = table.set_column(
                place, field.with_type(pa.string()), table.column(place).cast(pa.string())
            )
    for field in schema or ():
        if field.name in table.column_names:
            place = table.column_names.index(field.name)
            table = table.set_column(place, field, table.column(field.name).cast(field.type))
    pq.write_table(table, sink)


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
                f"row {number} has {listed(unknown)}, which the rows before it have not: write JSONL"
            )
        fields = [_field(row.get(name)) for name in columns]
        if delimiter == "\t" and any(set(field) & set("\t\r\n") for field in fields):
            raise ValueError(
                f"row {number} has a tab or a line end in a field, which TSV cannot hold: write CSV"
            )
        writer.writerow(fields)


def _field(value: Any) -> str:
    """Words and tags parted by spaces, as they are read; numbers and what is nested as JSON."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " ".join(value)
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _sentence(row: Row, number: int) -> str:
    """A word a line, its tag where there is one, and the prediction last, as conlleval reads it."""
    if WORDS not in row:
        raise ValueError(f"row {number} has no {WORDS!r}, but {listed(row)}: CoNLL needs them; write JSONL")
    columns = [row[name] for name in (WORDS, TAGS, "prediction") if row.get(name) is not None]
    parted = [column.split() if isinstance(column, str) else column for column in columns]
    return "".join("\t".join(fields) + "\n" for fields in zip(*parted, strict=True)) + "\n"
