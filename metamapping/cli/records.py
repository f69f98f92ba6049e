"""Read the rows of a file or of standard input, unchanged.

Input: a path, or `-`. Output: rows as dictionaries, one after the other, so that a file may be larger than
memory. A row that cannot be read raises ``ValueError`` with its line and is not skipped, because the output
of a command must have one row per row of its input.

    with open_records("reviews.csv.gz") as records:
        for row in records.rows:
            print(row["text"])
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from metamapping.cli.input_source import PREFIX, input_source
from metamapping.cli.options import Format
from metamapping.cli.rows import Row
from metamapping.cli.sentence_rows import read_sentence_rows
from metamapping.cli.table_rows import table_rows
from metamapping.config.files import similar_name
from metamapping.config.sources import Source
from metamapping.corpus.arrow_import import parquet_files, with_arrow_errors
from metamapping.corpus.columns import Header, listed_names
from metamapping.corpus.compression import unpacked
from metamapping.corpus.delimited import Table, read_delimited
from metamapping.corpus.formats import file_format
from metamapping.corpus.json_objects import read_objects
from metamapping.corpus.spreadsheets import read_spreadsheet
from metamapping.corpus.text_files import (
    bad_byte,
    check_pointer,
    check_start,
    fitting_encodings,
    open_text,
    text_encoding,
)
from metamapping.errors import ConfigError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

    from metamapping.corpus.parquet_files import ParquetRows

STANDARD = "-"
_START_BYTES = 64
ROWS_PER_PART = 2_000

# UTF-8, with or without a byte order mark; the delimiter of CSV is found; the first line names the columns.
_DEFAULT = input_source()


@dataclass(frozen=True)
class Records:
    """The rows of an open file.

    Attributes:
        name: Name of the file for error messages.
        rows: The rows; they can be read once.
        columns: Names of the columns; empty for JSONL, where each row has its own.
        header: The names as the file has them, for CSV and TSV; empty if the file has no header.
        delimiter: What separates the fields of CSV.
        schema: Types of the columns, for Parquet only.
        parquet: The open file, for Parquet only.
        origin: The columns as error messages list them.
    """

    name: str
    rows: Iterator[Row]
    columns: tuple[str, ...] = ()
    header: tuple[str, ...] | None = None
    delimiter: str | None = None
    schema: pa.Schema | None = None
    parquet: ParquetRows | None = None
    origin: Header | None = None


def format_of(place: str, given: Format | None = None) -> Format:
    """The format of a file, by its suffix.

    Args:
        place: A path, or `-` for standard input or output, whose default format is JSONL.
        given: The format for `-` and for files without a known suffix. A `.tsv` file may be CoNLL.

    Raises:
        ValueError: The suffix is unknown, and no format is given.
    """
    if place == STANDARD:
        return given or "jsonl"
    try:
        format = cast(Format, file_format(Path(place), _DEFAULT))
    except ConfigError as error:
        if given is None:
            raise ValueError(str(error).removeprefix(PREFIX)) from error
        return given
    return "conll" if (format, given) == ("tsv", "conll") else format


@contextmanager
def open_records(
    place: str, given_format: Format | None = None, source: Source = _DEFAULT
) -> Iterator[Records]:
    """Open a file or standard input.

    Args:
        place: A path, or `-` for standard input.
        given_format: As in ``format_of``.
        source: How text files are read, from ``input_source``.

    Yields:
        The rows, which can be read within the block.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file or one of its rows cannot be read.
    """
    format = format_of(place, given_format)
    name = "standard input" if place == STANDARD else place
    if place != STANDARD and not Path(place).is_file():
        similar = similar_name(Path(place))
        hint = "check its path" if similar is None else f"did you mean {similar!r}?"
        raise FileNotFoundError(f"there is no file {place}: {hint}, or give - for standard input")
    try:
        if format == "parquet":
            if place != STANDARD:
                check_pointer(Path(place), source)
            with _open_parquet(place, source, name) as file:
                yield _parquet(file, name)
            return
        if format == "xlsx":
            yield _spreadsheet(place, source, name)
            return
        with _open_text(place, source) as text:
            try:
                records = _of_text(text, source, name, format)
            except OSError as error:  # a damaged compressed file
                raise _unreadable(name, format, error) from error
            yield replace(records, rows=_named_errors(records.rows, name, format))
    except UnicodeDecodeError as error:
        raise ValueError(_bad_byte(place, source, error)) from error
    except ConfigError as error:
        raise ValueError(str(error).removeprefix(PREFIX)) from error
    except with_arrow_errors() as error:
        raise _unreadable(name, format, error) from error


def _of_text(text: TextIO, source: Source, name: str, format: Format) -> Records:
    if format == "jsonl":
        return Records(name, _jsonl(text, source, name), origin=Header((), name))
    if format == "conll":
        columns, rows = read_sentence_rows(text, source, name)
        return Records(name, rows, columns, origin=Header(columns, name))
    return _delimited(text, source, name, format)


@contextmanager
def _open_parquet(place: str, source: Source, name: str) -> Iterator[ParquetRows]:
    parquet = parquet_files()
    with ExitStack() as stack:
        try:
            origin = sys.stdin.buffer.read() if place == STANDARD else Path(place)
            file = stack.enter_context(parquet.open_parquet(origin, source, Path(name)))
        except with_arrow_errors(OSError) as error:
            raise _unreadable(name, "parquet", error) from error
        yield file


def _named_errors(rows: Iterator[Row], name: str, format: str) -> Iterator[Row]:
    """The same rows. The error of a truncated compressed file gets the name of the file."""
    try:
        yield from rows
    except OSError as error:
        raise _unreadable(name, format, error) from error


def _unreadable(name: str, format: str, error: Exception) -> ValueError:
    return ValueError(
        f"{name} is not a readable {format} file ({type(error).__name__}: {one_line(error)}): write it "
        "again, or set `format` (on the command line --format) to the format of the file"
    )


def _bad_byte(place: str, source: Source, error: UnicodeDecodeError) -> str:
    if place != STANDARD:
        return bad_byte(Path(place), source).removeprefix(PREFIX)
    return (
        f"standard input is not {source.encoding} ({error.reason}): give its encoding, such as --encoding "
        f"{' or --encoding '.join(fitting_encodings(error.object))}"
    )


@contextmanager
def _open_text(place: str, source: Source) -> Iterator[TextIO]:
    if place != STANDARD:
        with open_text(Path(place), source) as text:
            yield text
        return
    stream = sys.stdin.buffer
    # This waits for the first bytes, not for a full buffer: lines may be typed.
    start = stream.peek(_START_BYTES) if hasattr(stream, "peek") else b""
    check_start(start, source, Path("standard input"))
    text = io.TextIOWrapper(unpacked(stream, source), text_encoding(source), newline="")
    try:
        yield text
    finally:
        text.detach()  # without closing standard input


def _parquet(file: ParquetRows, name: str) -> Records:
    schema = file.schema
    if len(set(schema.names)) != len(schema.names):
        raise ValueError(
            f"{name} has two columns of the same name ({listed_names(schema.names)}): rename one"
        )
    origin = Header(schema.names, name)
    rows = _parquet_rows(file, name)
    return Records(name, rows, tuple(schema.names), schema=schema, parquet=file, origin=origin)


def _parquet_rows(file: ParquetRows, name: str) -> Iterator[Row]:
    try:
        for batch in file.batches():
            yield from batch.to_pylist()
    except ConfigError:
        raise
    except with_arrow_errors(OSError, ValueError, LookupError, ArithmeticError) as error:
        # Not only Arrow's own errors: values that Python cannot represent, such as the year 200,000.
        raise _unreadable(name, "parquet", error) from error


def read_table(records: Records) -> pa.Table:
    """All columns of a Parquet file, as they are.

    Args:
        records: The open file; its format is Parquet.

    Raises:
        ValueError: They cannot be read.
    """
    assert records.parquet is not None
    try:
        return records.parquet.read()
    except with_arrow_errors(OSError) as error:
        raise _unreadable(records.name, "parquet", error) from error


def _jsonl(text: TextIO, source: Source, name: str) -> Iterator[Row]:
    for row in read_objects(text, source, Path(name)):
        if row.value is None:
            raise ValueError(f"{name}: {row.problem}")
        yield row.value


def _delimited(text: TextIO, source: Source, name: str, format: Format) -> Records:
    table = read_delimited(text, source, Path(name), "tsv" if format == "tsv" else "csv")
    delimiter = table.delimiter if format == "csv" else None
    return replace(_table(table, name), delimiter=delimiter)


def _spreadsheet(place: str, source: Source, name: str) -> Records:
    file = io.BytesIO(sys.stdin.buffer.read()) if place == STANDARD else Path(place)
    return _table(read_spreadsheet(file, source, Path(name)), name)


def _table(table: Table, name: str) -> Records:
    columns, rows = table_rows(table, name)
    header = tuple(table.header or ())
    return Records(name, rows, columns, header, origin=Header(header, name, table.delimiter, is_table=True))
