"""Read the rows of a file or of standard input, unchanged.

In: a path, or `-`. Out: rows as dictionaries, one after the other, so that a file may be larger than
memory. A row that cannot be read raises ``ValueError`` with its line and is not skipped, because the output
of a command must have one row per row of its input.

    with open_records("reviews.csv.gz") as records:
        for row in records.rows:
            print(row["text"])
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from metamapping.cli.options import Format
from metamapping.config.sources import Source
from metamapping.corpus.conll import read_conll
from metamapping.corpus.formats import file_format
from metamapping.corpus.text_files import BoundedLines, numbered_lines, open_text
from metamapping.errors import ConfigError, listed, one_line

Row = dict[str, Any]

STANDARD = "-"
WORDS, TAGS = "words", "tags"  # the columns of CoNLL
ROWS_PER_PART = 2_000
_MAX_LINES_BEFORE_WORDS = 10_000

# The readers of the corpus need a source: this one means UTF-8, with or without a byte order mark.
_SOURCE = Source(name="input", task_type="ner", role="test", files=[STANDARD])


@dataclass(frozen=True)
class Records:
    """The rows of an open file.

    Attributes:
        name: Name of the file for error messages.
        rows: The rows; they can be read once.
        columns: Names of the columns; empty for JSONL, where each row has its own.
        schema: Types of the columns, for Parquet only.
        parquet: The open file, for Parquet only.
    """

    name: str
    rows: Iterator[Row]
    columns: tuple[str, ...] = ()
    schema: pa.Schema | None = None
    parquet: pq.ParquetFile | None = None


def format_of(place: str, given: Format | None = None) -> Format:
    """The format of a file, by its suffix.

    Args:
        place: A path, or `-` for standard input or output, whose default format is JSONL.
        given: The format for `-` and for files without a known suffix.

    Raises:
        ValueError: The suffix is unknown, and no format is given.
    """
    if place == STANDARD:
        return given or "jsonl"
    try:
        return cast(Format, file_format(Path(place), _SOURCE))
    except ConfigError as error:
        if given is None:
            raise ValueError(
                f"the format of {place!r} does not follow from its suffix: give --format csv, tsv, jsonl, "
                "parquet or conll"
            ) from error
        return given


@contextmanager
def open_records(place: str, given_format: Format | None = None) -> Iterator[Records]:
    """Open a file or standard input.

    Args:
        place: A path, or `-` for standard input.
        given_format: As in ``format_of``.

    Yields:
        The rows, which can be read within the block.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file or one of its rows cannot be read.
    """
    format = format_of(place, given_format)
    name = "standard input" if place == STANDARD else place
    if place != STANDARD and not Path(place).is_file():
        raise FileNotFoundError(f"there is no file {place}: check its path, or give - for standard input")
    try:
        if format == "parquet":
            with _open_parquet(place, name) as file:
                yield _parquet(file, name)
            return
        with _open_text(place) as text:
            if format == "jsonl":
                records = Records(name, _jsonl(text, name))
            elif format == "conll":
                records = _conll(text, name)
            else:
                records = _delimited(text, name, "\t" if format == "tsv" else ",")
            yield replace(records, rows=_named_errors(records.rows, name, format))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not UTF-8 ({error.reason}): convert it first, such as `iconv -f latin1 -t utf-8`"
        ) from error
    except pa.ArrowException as error:
        raise _unreadable(name, format, error) from error


def _open_parquet(place: str, name: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(_stdin_bytes() if place == STANDARD else place)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(name, "parquet", error) from error


def _named_errors(rows: Iterator[Row], name: str, format: str) -> Iterator[Row]:
    """The same rows. The error of a truncated compressed file gets the name of the file."""
    try:
        yield from rows
    except OSError as error:
        raise _unreadable(name, format, error) from error


def _unreadable(name: str, format: str, error: Exception) -> ValueError:
    return ValueError(
        f"{name} is not a readable {format} file ({type(error).__name__}: {one_line(error)}): write it "
        "again, or give --format"
    )


@contextmanager
def _open_text(place: str) -> Iterator[TextIO]:
    if place == STANDARD:
        yield io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig", newline="")
    else:
        with open_text(Path(place), _SOURCE) as text:
            yield text


def _stdin_bytes() -> pa.BufferReader:
    return pa.BufferReader(sys.stdin.buffer.read())


def _parquet(file: pq.ParquetFile, name: str) -> Records:
    schema = file.schema_arrow
    if len(set(schema.names)) != len(schema.names):
        raise ValueError(f"{name} has two columns of the same name ({listed(schema.names)}): rename one")
    return Records(name, _parquet_rows(file, name), tuple(schema.names), schema, file)


def _parquet_rows(file: pq.ParquetFile, name: str) -> Iterator[Row]:
    try:
        for batch in file.iter_batches(batch_size=ROWS_PER_PART):
            yield from batch.to_pylist()
    except (OSError, ValueError, LookupError, ArithmeticError, pa.ArrowException) as error:
        # Not only Arrow's own errors: values that Python cannot represent, such as the year 200,000.
        raise _unreadable(name, "parquet", error) from error


def read_table(records: Records) -> pa.Table:
    """All columns of a Parquet file, as they are. Raises ``ValueError`` if they cannot be read."""
    assert records.parquet is not None
    try:
        return records.parquet.read()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(records.name, "parquet", error) from error


def _jsonl(text: TextIO, name: str) -> Iterator[Row]:
    for number, line in numbered_lines(text, _SOURCE, Path(name)):
        if not line or line.isspace():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{name}: line {number} is not valid JSON ({error}): write one object per line"
            ) from error
        if not isinstance(row, dict):
            raise ValueError(f"{name}: line {number} is {line:.40}: write one JSON object per line")
        yield row


def _delimited(text: TextIO, name: str, delimiter: str) -> Records:
    """CSV has quotes, TSV has none; the first line names the columns."""
    quoted = delimiter == ","
    lines = BoundedLines(text, _SOURCE, Path(name))
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        quotechar='"' if quoted else None,
        strict=True,
    )
    try:
        columns = tuple(next(reader, []))
    except csv.Error as error:
        raise ValueError(f"{name}: its first line cannot be read ({error}): fix its quotes") from error
    if len(set(columns)) != len(columns):
        raise ValueError(f"{name}: its first line names a column twice ({listed(columns)}): rename one")
    return Records(name, _fields(reader, lines, name, columns), columns)


def _fields(reader: Any, lines: BoundedLines, name: str, columns: tuple[str, ...]) -> Iterator[Row]:
    while True:
        lines.end_row()
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise ValueError(f"{name}: line {line} cannot be read ({error}): fix its quotes") from error
        if fields is None:
            return
        if fields and len(fields) != len(columns):
            raise ValueError(
                f"{name}: line {line} has {len(fields)} fields, but the first line names {len(columns)} "
                f"columns ({listed(columns)}): fix the line, or quote the field that contains a comma"
            )
        if fields:
            yield dict(zip(columns, fields, strict=True))


def _conll(text: TextIO, name: str) -> Records:
    """Sentences with their words, and with tags if lines have more than one column."""
    head: list[str] = []
    fields: list[str] = []
    for _, line in numbered_lines(text, _SOURCE, Path(name)):
        head.append(f"{line}\n")
        fields = line.split()
        if (fields and fields[0] not in ("-DOCSTART-", "#")) or len(head) == _MAX_LINES_BEFORE_WORDS:
            break
    replayed = cast(TextIO, _Replayed(head, text))
    if len(fields) == 1:
        return Records(name, _bare_words(replayed, name), (WORDS,))
    return Records(name, _tagged_words(replayed, name), (WORDS, TAGS))


class _Replayed(io.TextIOBase):
    """The lines that were read ahead, followed by the rest of the file."""

    def __init__(self, head: list[str], rest: TextIO) -> None:
        self._head, self._rest = iter(head), rest

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return next(self._head, None) or self._rest.readline(size)


def _tagged_words(text: TextIO, name: str) -> Iterator[Row]:
    for sentence in read_conll(text, _SOURCE, Path(name)):
        if sentence.fault is not None:
            raise ValueError(
                f"{name}: the sentence in line {sentence.line} ({sentence.text:.40}) has a word without a "
                "tag: write one word and its tag per line"
            )
        yield {WORDS: sentence.text, TAGS: sentence.label}


def _bare_words(text: TextIO, name: str) -> Iterator[Row]:
    words: list[str] = []
    for _, line in numbered_lines(text, _SOURCE, Path(name)):
        if line.strip() and not line.startswith("-DOCSTART-"):
            words.append(line.strip())
        elif words:
            yield {WORDS: words}
            words = []
    if words:
        yield {WORDS: words}
