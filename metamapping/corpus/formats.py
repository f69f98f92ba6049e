"""Formats: reads the rows of source files in CSV, TSV, JSONL, Parquet and CoNLL.

Input: the path of a source file. Output: ``Row``s in the order of the file. A row that cannot be read is a
row with a fault and is never skipped silently. Only faults that make the rest of the file unreadable (a byte
outside the encoding, a quote that is never closed) raise ``ConfigError``, with the place and the fix.

    for row in read_file(Path("reviews.csv.gz"), source):
        print(row.line, row.text, row.label)
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from metamapping.config.files import format_of_suffix
from metamapping.config.sources import Source
from metamapping.corpus.conll import read_conll, read_mentions
from metamapping.corpus.delimited import Table, read_delimited
from metamapping.corpus.json_objects import read_objects
from metamapping.corpus.rows import MALFORMED, Row
from metamapping.corpus.span_formats import (
    NOT_ACCEPTED,
    answer_problem,
    entity_columns,
    has_spans,
    read_entities,
)
from metamapping.corpus.spans import SpanError
from metamapping.corpus.text_files import (
    bad_byte,
    open_text,
)
from metamapping.errors import ConfigError, listed, one_line

_INDEX = re.compile("[0-9]{1,9}")


def file_format(path: Path, source: Source) -> str:
    """Return the format of a file: what its source declares, else that of its suffix.

    Args:
        path: The file, whose name may end with the suffix of a compression.
        source: The source.

    Raises:
        ConfigError: The source declares no format and the suffix is unknown.
    """
    if source.format is not None:
        return source.format
    known = format_of_suffix(path)
    if known is None:
        raise ConfigError(
            f"source {source.name!r}: the suffix of {path.name!r} does not tell its format: set "
            "`format` to csv, tsv, jsonl, parquet or conll"
        )
    return known


def read_file(path: Path, source: Source) -> Iterator[Row]:
    """Yield the rows of one file.

    Args:
        path: The file.
        source: How the file is to be read.

    Raises:
        ConfigError: The file cannot be read, or not beyond some place.
    """
    kind = file_format(path, source)
    try:
        if kind == "parquet":
            yield from _read_parquet(path, source)
            return
        with open_text(path, source) as file:
            if kind == "conll":
                is_ner = source.task_type == "ner"
                yield from (read_conll if is_ner else read_mentions)(file, source, path)
            elif kind == "jsonl":
                yield from _read_jsonl(file, source, path)
            else:
                yield from _read_delimited(file, source, path, "tsv" if kind == "tsv" else "csv")
    except ConfigError:
        raise
    except UnicodeError as error:
        if kind != "parquet" and isinstance(error, UnicodeDecodeError):
            raise ConfigError(bad_byte(path, source)) from error
        raise _unreadable(path, source, kind, error) from error
    except (OSError, ValueError, LookupError, ArithmeticError, EOFError, pa.ArrowException) as error:
        # Besides Arrow's own errors these are raised for values that Python cannot represent, such as the
        # year 200,000.
        raise _unreadable(path, source, kind, error) from error


def _unreadable(path: Path, source: Source, kind: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"source {source.name!r}: {path} is not a readable {kind} file ({type(error).__name__}: "
        f"{one_line(error)}): write it again, or set `format` to the format of the file"
    )


def _read_delimited(file: TextIO, source: Source, path: Path, kind: Literal["csv", "tsv"]) -> Iterator[Row]:
    table = read_delimited(file, source, path, kind)
    width = len(table.header) if table.header else 0
    places: list[int | None] | None = None
    if table.header:
        names = column_names(source, table.header)
        places = [_place(name, table, width, source, path) for name in names]
    else:
        names = column_names(source)
    for line, fields in table.rows:
        if isinstance(fields, csv.Error):
            yield Row(line, text=f"{fields}", fault=MALFORMED)
            continue
        width = width or len(fields)
        if len(fields) != width:
            yield Row(line, text=table.delimiter.join(fields), fault=MALFORMED)
            continue
        if places is None:
            places = [_place(name, table, width, source, path) for name in names]
        text, text_pair, label = (None if place is None else fields[place] for place in places)
        yield tagged_row(Row(line, text, text_pair, label), source, names[2])


def tagged_row(row: Row, source: Source, label: str | int | None) -> Row:
    """Return a row with words and tags if it is a ``ner`` text with spans, and unchanged otherwise.

    Args:
        row: The row as it was read.
        source: The source.
        label: The column of its label.
    """
    if source.task_type != "ner" or row.fault is not None:
        return row
    if not has_spans(row.text, row.label, label if source.columns.label is None else None):
        return row
    try:
        aligned = read_entities(row.text, row.label, label)
    except SpanError as error:
        return _faulty(row, error.reason, str(error))
    return row._replace(
        text=aligned.words,
        label=aligned.tags,
        num_trimmed=aligned.num_trimmed,
        num_widened=len(aligned.widened),
    )


def _faulty(row: Row, fault: str, problem: str) -> Row:
    text = row.text if isinstance(row.text, str) else " ".join(map(str, row.text))
    return Row(row.line, text, fault=fault, problem=problem)


def column_names(
    source: Source, existing: Collection[str] = ()
) -> tuple[str | int, str | int | None, str | int]:
    """Return the columns of text, second text and label, with defaults for those not configured.

    Args:
        source: The source.
        existing: The names of all columns, from which the defaults of ``ner`` follow.

    Returns:
        Names, or numbers in files without a header. The second text has no default and may be ``None``.
    """
    is_ner = source.task_type == "ner"
    named = source.header and source.format != "conll"
    text = source.columns.text
    label = source.columns.label
    if named and is_ner:
        default = entity_columns(
            existing, None if text is None else str(text), None if label is None else str(label)
        )
    else:
        default = ("text", "label")
    if text is None:
        text = default[0] if named else 0
    if label is None:
        label = default[1] if named else -1
    return text, source.columns.text_pair, label


def no_such_column(
    name: str | int,
    existing: list[str] | int,
    source: Source,
    place: Path | str,
    *,
    delimiter: str | None = None,
) -> ConfigError:
    """Return the error for a missing column.

    Args:
        name: The missing column.
        existing: The names of the columns that exist, or their number.
        source: The source.
        place: The file or data set.
        delimiter: What separates the fields of a delimited file.
    """
    known = f"{existing} columns" if isinstance(existing, int) else f"the columns {listed_names(existing)}"
    if delimiter is not None:
        known += f" (separated by {delimiter!r})"
    fixes = ["correct `columns`"]
    if not source.header:
        fixes.append("`header` if the first line names the columns")
    if delimiter is not None:
        fixes.append("`delimiter` if something else separates the fields")
    if delimiter is not None and source.task_type == "ner":
        fixes.append("`format: conll` if each line is a word")
    return ConfigError(
        f"source {source.name!r}: {place} has no column {name!r:.80}, but {known}: {', or '.join(fixes)}"
    )


def listed_names(names: Collection[str]) -> str:
    """Join the names of columns with commas; those with spaces around them, and empty ones, are quoted.

    Args:
        names: The names in the order in which they are to be listed.
    """
    return listed([name if name and name == name.strip() else repr(name) for name in names])


def find_name(name: str, names: Iterable[str]) -> str | None:
    """Return the column of a name: the equal one, else the only one that differs just in spaces around it.

    Args:
        name: The name.
        names: The names of all columns.
    """
    names = list(names)
    if name in names:
        return name
    similar = [each for each in names if each.strip() == name.strip()]
    return similar[0] if len(similar) == 1 else None


def _place(name: str | int | None, table: Table, width: int, source: Source, path: Path) -> int | None:
    if name is None:
        return None
    if isinstance(name, int):
        if -width <= name < width:
            return name % width
    elif table.header and (found := find_name(name, table.header)) is not None:
        return table.header.index(found)
    raise no_such_column(name, table.header or width, source, path, delimiter=table.delimiter)


def _read_jsonl(file: TextIO, source: Source, path: Path) -> Iterator[Row]:
    for row in read_objects(file, source, path):
        if row.value is None:
            yield Row(row.line, text=row.raw, fault=MALFORMED)
            continue
        text, text_pair, label = map(_as_name, column_names(source, row.value))
        read = Row(
            row.line,
            nested_value(row.value, str(text)),
            None if text_pair is None else nested_value(row.value, text_pair),
            nested_value(row.value, str(label)),
        )
        tagged = tagged_row(read, source, label)
        if tagged is not read and (problem := answer_problem(row.value)):
            tagged = _faulty(read, NOT_ACCEPTED, problem)
        yield tagged


def _as_name(name: str | int | None) -> str | None:
    return None if name is None else str(name)


def nested_value(record: Any, name: str) -> Any:
    """Return the value of a name in a JSON object, or ``None``.

    Args:
        record: The parsed JSON value.
        name: A key, or keys and list indices separated by dots: ``review.body`` or ``answers.0.text``.
    """
    if isinstance(record, dict) and (found := find_name(name, record)) is not None:
        return record[found]
    for part in name.split("."):
        if isinstance(record, dict):
            record = record.get(part)
        elif isinstance(record, list) and _INDEX.fullmatch(part) and int(part) < len(record):
            record = record[int(part)]
        else:
            return None
    return record


def _read_parquet(path: Path, source: Source) -> Iterator[Row]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=2_000, columns=_top_level(file.schema_arrow, source)):
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
    columns = []
    names = column_names(source, batch.schema.names)
    for name in names:
        if name is None:
            columns.append([None] * batch.num_rows)
        elif (found := find_name(str(name), batch.schema.names)) is not None:
            columns.append(batch.column(found).to_pylist())
        elif str(name).split(".")[0] in batch.schema.names:
            top, _, rest = str(name).partition(".")
            columns.append([nested_value(value, rest) for value in batch.column(top).to_pylist()])
        else:
            raise no_such_column(name, batch.schema.names, source, place)
    for text, text_pair, label in zip(*columns, strict=True):
        yield tagged_row(Row(None, text, text_pair, label), source, names[2])


def _top_level(schema: pa.Schema, source: Source) -> list[str] | None:
    wanted = []
    for name in column_names(source, schema.names):
        if name is not None:
            wanted.append(find_name(str(name), schema.names) or str(name).split(".")[0])
    return wanted if set(wanted) <= set(schema.names) else None
