"""Write rows to a file or to standard output, in any format that ``metamapping.cli.records`` reads.

Writing a file is atomic: the rows are written to a temporary name, which is then renamed. Parquet keeps the
types of columns, CoNLL the order of words; CSV and TSV contain values other than texts as JSON.

    write_records(rows, "labelled.csv", "csv", columns=("text", "prediction"))
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, cast

from metamapping.cli.options import Format
from metamapping.cli.records import STANDARD
from metamapping.cli.rows import PREDICTION, TAGS, WORDS, Row, SentenceRow, SpanList
from metamapping.corpus.arrow_import import needs_parquet_extra
from metamapping.corpus.columns import listed_names
from metamapping.corpus.compression import open_packed
from metamapping.corpus.conll_sentences import is_word
from metamapping.corpus.word_lists import list_text, word_list
from metamapping.errors import listed

if TYPE_CHECKING:
    import pyarrow as pa


def write_records(
    rows: Iterable[Row],
    place: str,
    format: Format,
    *,
    columns: Sequence[str] = (),
    header: Sequence[str] | None = None,
    delimiter: str | None = None,
    schema: pa.Schema | None = None,
    flush: bool = False,
) -> None:
    """Write all rows.

    Args:
        rows: The rows.
        place: A path, or `-` for standard output.
        format: The format.
        columns: Columns of CSV and TSV; default: the columns of the first row.
        header: First line of CSV and TSV; empty for none, default: the columns.
        delimiter: What separates the fields of CSV; default: a comma.
        schema: Types of Parquet columns, as far as they are known.
        flush: Whether to write each row at once, for JSONL.

    Raises:
        ValueError: The format cannot represent a row. Then nothing has been written.
    """
    with _sink(place, may_fail=format in ("conll", "tsv", "parquet")) as sink:
        if format == "parquet":
            _write_parquet(rows, sink, schema)
            return
        with _text(sink) as text, _csv_errors(format):
            if format == "jsonl":
                for row in rows:
                    text.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
                    if flush:
                        text.flush()
            elif format == "conll":
                for number, row in enumerate(rows, start=1):
                    text.write(_sentence(row, number))
            else:
                if format == "tsv":
                    delimiter = "\t"
                _write_delimited(rows, text, columns, header, delimiter or ",", is_quoted=format == "csv")


def write_text(text: str, place: str) -> None:
    """Write a text as UTF-8.

    Args:
        text: The text.
        place: A path, or `-` for standard output.
    """
    with _sink(place, may_fail=False) as sink, _text(sink) as stream:
        stream.write(text)


def check_keeps_input(place: str | None, input: str | None, option: str) -> None:
    """Check that a selection of rows does not replace the file of all rows.

    Args:
        place: Where the selection is to be written: a path, `-`, or ``None`` for nowhere.
        input: The file of the rows, likewise.
        option: The option of the place, for the message.

    Raises:
        ValueError: It would.
    """
    if place in (None, STANDARD) or input in (None, STANDARD):
        return
    written, read = Path(str(place)), Path(str(input))
    if written.exists() and read.exists() and written.samefile(read):
        raise ValueError(
            f"{option} {place} is the file that is read, of which only some rows would be left: give another "
            "file"
        )


@contextmanager
def _csv_errors(format: Format) -> Iterator[None]:
    """Within the block, ``csv.Error`` becomes a ``ValueError`` that says how to proceed."""
    try:
        yield
    except csv.Error as error:  # a column name with a tab, or a row with a single empty field
        raise ValueError(f"{format} cannot represent these rows ({error}): write CSV or JSONL") from error


@contextmanager
def _sink(place: str, *, may_fail: bool) -> Iterator[BinaryIO]:
    """A file, or standard output. If a row may be refused, standard output gets nothing before the end."""
    if place == STANDARD:
        if may_fail:
            with tempfile.TemporaryFile() as temporary_file:
                yield cast(BinaryIO, temporary_file)
                temporary_file.seek(0)
                shutil.copyfileobj(temporary_file, sys.stdout.buffer)
        else:
            yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        with open_packed(temporary) as stream:
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
    with needs_parquet_extra("a Parquet file"):
        import pyarrow.parquet as pq

    table = table_of(rows)
    for field in schema or ():
        if field.name in table.column_names:
            place = table.column_names.index(field.name)
            table = table.set_column(place, field, table.column(field.name).cast(field.type))
    pq.write_table(table, sink)


def write_table(table: pa.Table, place: str) -> None:
    """Write a table as Parquet to a path, or to standard output for `-`.

    Args:
        table: The table, with the types of its columns.
        place: A path, or `-`.
    """
    import pyarrow.parquet as pq  # it is there, since there is a table

    with _sink(place, may_fail=False) as sink:
        pq.write_table(table, sink)


def table_of(rows: Iterable[Row]) -> pa.Table:
    """The rows as a table; columns without any value have the type string.

    Args:
        rows: All rows; a row without a column has null in it.
    """
    import pyarrow as pa

    # All rows at once, because the types of the columns depend on all of them.
    table = pa.Table.from_pylist(list(rows))
    for place, field in enumerate(table.schema):
        if pa.types.is_null(field.type):  # such as predictions if all are below the threshold
            table = table.set_column(
                place, field.with_type(pa.string()), table.column(place).cast(pa.string())
            )
    return table


def _write_delimited(
    rows: Iterable[Row],
    text: TextIO,
    columns: Sequence[str],
    header: Sequence[str] | None,
    delimiter: str,
    *,
    is_quoted: bool,
) -> None:
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator="\n",
        quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE,
        quotechar='"' if is_quoted else None,
    )
    header = columns if header is None else header
    if header:
        writer.writerow(header)
    for number, row in enumerate(rows, start=1):
        if not columns:
            columns = list(row)
            writer.writerow(columns)
        if unknown := [name for name in row if name not in columns]:
            raise ValueError(
                f"row {number} has {listed(unknown)}, which the rows before it do not have: write JSONL"
            )
        has_words = WORDS in row
        fields = [_field(row.get(name), is_words=has_words or name == PREDICTION) for name in columns]
        if not is_quoted and any(set(field) & {delimiter, "\r", "\n"} for field in fields):
            raise ValueError(
                f"row {number} has a tab or a line break in a field, which TSV cannot represent: write CSV"
            )
        writer.writerow(fields)


def _field(value: Any, *, is_words: bool) -> str:
    """Words and tags as they are read; numbers, nested values and other lists are JSON."""
    if value is None:
        return ""
    if (
        is_words
        and isinstance(value, list)
        and not isinstance(value, SpanList)
        and all(isinstance(item, str) for item in value)
    ):
        return list_text(value)
    if isinstance(value, bool | int | float | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _sentence(row: Row, number: int) -> str:
    """One word per line, its columns, and the prediction last, as conlleval reads it."""
    if WORDS not in row:
        raise ValueError(
            f"row {number} has no {WORDS!r}, but {listed_names(row)}: CoNLL needs words; write JSONL"
        )
    prediction = row.get(PREDICTION)
    if isinstance(row, SentenceRow) and prediction is not None:
        return _same_lines(row, prediction)
    columns = [row[name] for name in (WORDS, TAGS, PREDICTION) if row.get(name) is not None]
    split = [word_list(column) if isinstance(column, str) else column for column in columns]
    if not split[0]:
        raise ValueError(f"row {number} has no words, which CoNLL cannot represent: drop it, or write JSONL")
    if any(len(column) != len(split[0]) for column in split):
        raise ValueError(
            f"row {number} has {len(split[0])} words but {len(row[TAGS])} tags: give one tag for each word"
        )
    lines = ["\t".join(fields) for fields in zip(*split, strict=True)]
    for position, (line, fields) in enumerate(zip(lines, zip(*split, strict=True), strict=True)):
        if any(not field or set(field) & set(" \t\r\n") or field.isspace() for field in fields) or (
            not is_word(line, is_first=position == 0)
        ):
            raise ValueError(
                f"row {number} has {' '.join(map(repr, fields))}, which CoNLL cannot represent as a word and "
                "its tags: write JSONL or CSV, or fix the row"
            )
    return "".join(f"{line}\n" for line in lines) + "\n"


def _same_lines(row: SentenceRow, prediction: Sequence[str]) -> str:
    """The lines as they were read, with one more column for the words."""
    added = iter(prediction)
    lines = []
    for line, fields in zip(row.sentence.lines, row.sentence.fields, strict=True):
        if fields is not None:
            line = f"{line}{' ' if ' ' in line and chr(9) not in line else chr(9)}{next(added)}"
        lines.append(line)
    last = max(i for i, fields in enumerate(row.sentence.fields) if fields is not None)
    lines.insert(last + 1, "")  # the blank line after the words
    return "".join(f"{line}\n" for line in lines)
