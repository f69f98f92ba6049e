"""Formats: reads the rows of source files in CSV, TSV, JSONL, Parquet, CoNLL and .xlsx.

Input: the path of a source file. Output: ``Row``s in the order of the file. A row that cannot be read is a
row with a fault and is never skipped silently. Only faults that make the rest of the file unreadable (a byte
outside the encoding, a quote that is never closed) raise ``ConfigError``, with the place and the fix.

    for row in read_file(Path("reviews.csv.gz"), source):
        print(row.line, row.text, row.label)
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from metamapping.config.files import format_of_suffix
from metamapping.config.sources import Source
from metamapping.corpus.arrow_import import parquet_files, with_arrow_errors
from metamapping.corpus.arrow_rows import read_parquet
from metamapping.corpus.columns import Header, nested_value, place_of
from metamapping.corpus.conll import read_conll, read_mentions
from metamapping.corpus.delimited import Table, read_delimited
from metamapping.corpus.json_objects import read_objects
from metamapping.corpus.labelled_rows import tagged_row, with_indicated
from metamapping.corpus.rows import MALFORMED, Row
from metamapping.corpus.source_columns import check_names, column_names, places_of_columns
from metamapping.corpus.span_formats import ANSWER, NOT_ACCEPTED
from metamapping.corpus.spreadsheets import read_spreadsheet
from metamapping.corpus.text_files import bad_byte, check_pointer, open_text
from metamapping.corpus.tool_exports import UNANSWERED, is_unanswered
from metamapping.errors import ConfigError, one_line

_PEEKED_ROWS = 100


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
            "`format` (on the command line --format) to csv, tsv, jsonl, parquet, conll or xlsx"
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
    with _named_errors(path, source, kind):
        if kind == "parquet":
            yield from read_parquet(path, source)
            return
        if kind == "xlsx":
            yield from _rows_of_table(read_spreadsheet(path, source, path), source, path)
            return
        with open_text(path, source) as file:
            if kind == "conll":
                if source.columns.label_columns is not None:
                    raise ConfigError(
                        f"source {source.name!r}: {path} is CoNLL, which has a tag for each word and no "
                        "`label_columns` (--label-columns): leave them out, or correct `format`"
                    )
                is_ner = source.task_type == "ner"
                yield from (read_conll if is_ner else read_mentions)(file, source, path)
            elif kind == "jsonl":
                yield from _read_jsonl(file, source, path)
            else:
                table = read_delimited(file, source, path, "tsv" if kind == "tsv" else "csv")
                yield from _rows_of_table(table, source, path)


@contextmanager
def _named_errors(path: Path, source: Source, kind: str) -> Iterator[None]:
    """Within the block, every error of a file that cannot be read becomes a ``ConfigError``."""
    try:
        yield
    except ConfigError:
        raise
    except UnicodeError as error:
        if kind != "parquet" and isinstance(error, UnicodeDecodeError):
            raise ConfigError(bad_byte(path, source)) from error
        raise _unreadable(path, source, kind, error) from error
    except with_arrow_errors(OSError, ValueError, LookupError, ArithmeticError, EOFError) as error:
        # Besides Arrow's own errors these are raised for values that Python cannot represent, such as the
        # year 200,000.
        raise _unreadable(path, source, kind, error) from error


def _unreadable(path: Path, source: Source, kind: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"source {source.name!r}: {path} is not a readable {kind} file ({type(error).__name__}: "
        f"{one_line(error)}): write it again, or set `format` (on the command line --format) to the format "
        "of the file"
    )


def names_of_columns(path: Path, source: Source) -> list[str]:
    """Return the names of a file's columns; for JSON those of the first object, and none without a header.

    Args:
        path: The file.
        source: How the file is to be read.

    Raises:
        ConfigError: The file cannot be read.
    """
    kind = file_format(path, source)
    if kind == "conll":
        return []
    with _named_errors(path, source, kind):
        if kind == "parquet":
            check_pointer(path, source)
            with parquet_files().open_parquet(path, source, path) as file:
                return list(file.schema.names)
        if kind == "xlsx":
            return read_spreadsheet(path, source, path).header or []
        with open_text(path, source) as file:
            if kind != "jsonl":
                return read_delimited(file, source, path, "tsv" if kind == "tsv" else "csv").header or []
            return list(next((row.value for row in read_objects(file, source, path) if row.value), {}))


def _rows_of_table(table: Table, source: Source, path: Path) -> Iterator[Row]:
    width = len(table.header) if table.header else 0
    places: list[int | None] | None = None
    label_columns = source.columns.label_columns or []
    label_places: list[int] = []
    answer_place = table.header.index(ANSWER) if table.header and ANSWER in table.header else None
    if table.header:
        names = column_names(source, table.header)
        header = Header(table.header, str(path), table.delimiter, is_table=True)
        places = places_of_columns(names, header, source)
        label_places = [place_of(name, "label_columns", header, source) for name in label_columns]
    else:
        names = column_names(source)
    for line, fields in table.rows:
        if isinstance(fields, list):
            width = width or len(fields)
        if (problem := table.problem(line, fields, width)) is not None or isinstance(fields, csv.Error):
            yield Row(line, text=_raw(fields, table), fault=MALFORMED, problem=problem)
            continue
        if places is None:
            header = Header(width, str(path), table.delimiter, is_table=True)
            places = places_of_columns(names, header, source)
        text, text_pair, label = (None if place is None else fields[place] for place in places)
        answer = None if answer_place is None else fields[answer_place]
        row = Row(line, text, text_pair, label)
        if label_places:
            row = with_indicated(row, zip(label_columns, (fields[i] for i in label_places), strict=True))
        yield tagged_row(row, source, names[2], answer=answer)


def _raw(fields: list[Any] | csv.Error, table: Table) -> str:
    if isinstance(fields, csv.Error):
        return f"{fields}"
    return (table.delimiter or "\t").join(map(str, fields))


def _read_jsonl(file: TextIO, source: Source, path: Path) -> Iterator[Row]:
    rows = read_objects(file, source, path)
    first = list(itertools.islice(rows, _PEEKED_ROWS))
    check_names([row.value for row in first if row.value is not None], source, str(path))
    for row in itertools.chain(first, rows):
        if row.value is None:
            yield Row(row.line, text=row.raw, fault=MALFORMED, problem=row.problem)
            continue
        text, text_pair, label = map(_as_name, column_names(source, row.value))
        read = Row(
            row.line,
            nested_value(row.value, str(text)),
            None if text_pair is None else nested_value(row.value, text_pair),
            None if label is None else nested_value(row.value, label),
        )
        if source.columns.label_columns:
            indicators = [(name, nested_value(row.value, name)) for name in source.columns.label_columns]
            yield tagged_row(with_indicated(read, indicators), source, label, answer=row.value.get(ANSWER))
            continue
        if source.task_type != "ner" and read.label is None and is_unanswered(row.value):
            yield read._replace(fault=NOT_ACCEPTED, problem=f"line {row.line}: {UNANSWERED}")
            continue
        yield tagged_row(read, source, label, answer=row.value.get(ANSWER))


def _as_name(name: str | int | None) -> str | None:
    return None if name is None else str(name)
