"""Delimited text: the header and the rows of CSV and TSV files, and the delimiter of CSV files.

Input: an open text file. Output: its delimiter, its header, and its rows as lists of fields. CSV files of
many programs separate fields by semicolons, tabs or bars instead of commas. The delimiter is the one under
which the header has the columns of the source, and the first rows as many fields as the header; without
evidence for another one it is the comma.

    table = read_delimited(file, source, path, "csv")
    for line, fields in table.rows:
        print(line, table.header, fields)
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from metamapping.config.sources import Source
from metamapping.corpus.columns import listed_names
from metamapping.corpus.text_files import MAX_FIELD_CHARACTERS, BoundedLines
from metamapping.errors import ConfigError

_DELIMITERS = (",", ";", "\t", "|")
_DEFAULT_NAMES = ("text", "text_pair", "label", "words", "tags", "spans", "entities")
_HEAD_LINES, _HEAD_CHARACTERS = 200, 200_000
# Other delimiters than the comma need so many of the first rows with as many fields as the first one.
_MIN_CONSISTENT = 0.8
_DELIMITER_HINT = re.compile('"?sep=(.)"?[\r\n]*', re.IGNORECASE)  # a first line for Excel

csv.field_size_limit(MAX_FIELD_CHARACTERS)


@dataclass(frozen=True)
class Table:
    """The rows of a delimited file.

    Attributes:
        delimiter: The character that separates fields; ``None`` for a spreadsheet.
        header: The first row, if it names the columns.
        rows: The number of the first line of each row, and its fields, or why it cannot be read. Blank lines
            are left out. A row may have more or fewer fields than the header.
    """

    delimiter: str | None
    header: list[str] | None
    rows: Iterator[tuple[int, list[Any] | csv.Error]]

    def problem(self, line: int, fields: list[Any] | csv.Error, num_columns: int) -> str | None:
        """Return what is wrong with a row, or ``None``.

        Args:
            line: The number of its first line.
            fields: Its fields, or why it cannot be read.
            num_columns: How many fields it should have.
        """
        if isinstance(fields, csv.Error):
            return (
                f"line {line} cannot be read ({fields}): fix its quotes; one within a field is written "
                "twice, and not with a backslash"
            )
        if len(fields) == num_columns:
            return None
        named = "" if self.header is None else f" names {num_columns} columns ({listed_names(self.header)})"
        problem = (
            f"line {line} has {len(fields)} fields, but the first line{named or f' has {num_columns}'}: fix "
            "the line"
        )
        if self.delimiter is not None:
            problem += (
                f", quote the field that contains a {self.delimiter!r}, or set `delimiter` (on the command "
                "line --delimiter), if it is another one"
            )
        if self.delimiter == "\t":
            problem += ", or `format` (--format) to conll, if each line is a word"
        return problem


def read_delimited(file: TextIO, source: Source, path: Path, kind: Literal["csv", "tsv"]) -> Table:
    """Read the header of a file, and its rows as they are asked for.

    Args:
        file: The open file.
        source: Its delimiter, quotes and header, and the columns by which a delimiter is recognized.
        path: The file's path, for error messages.
        kind: CSV has quotes and a delimiter to be found; TSV has tabs and no quotes. The settings of the
            source have precedence.

    Raises:
        ConfigError: The header cannot be read; while reading rows: a quote is never closed.
    """
    is_quoted = source.quotes if source.quotes is not None else kind == "csv"
    lines = BoundedLines(file, source, path)
    head = [first] if (first := next(iter(lines), "")) else []
    delimiter = source.delimiter or ("\t" if kind == "tsv" else None)
    hint = _DELIMITER_HINT.fullmatch(first) if kind == "csv" else None
    if hint is not None:
        head = []
        delimiter = delimiter or hint[1]
    if delimiter is None:
        rest, is_cut = _head(lines)
        head += rest
        wanted = [source.columns.text, source.columns.text_pair, source.columns.label]
        wanted += source.columns.label_columns or []
        names = [*(name for name in wanted if isinstance(name, str)), *_DEFAULT_NAMES]
        delimiter = find_delimiter(head, names, is_quoted=is_quoted, has_header=source.header, is_cut=is_cut)
    reader = _reader(itertools.chain(head, lines), delimiter, is_quoted=is_quoted)
    try:
        header: list[str] | None = next(reader, []) if source.header else None
    except csv.Error as error:
        raise ConfigError(
            f"source {source.name!r}: the first line of {path}, which names the columns, cannot be read "
            f"({error}): correct its quotes, or set `quotes: false`"
        ) from error
    num_skipped = 0 if hint is None else 1
    return Table(delimiter, header, _rows(reader, lines, source, path, num_skipped))


def find_delimiter(
    head: Sequence[str], names: Sequence[str], *, is_quoted: bool, has_header: bool, is_cut: bool
) -> str:
    """Return the delimiter of a file: `,`, `;`, tab or `|`.

    Args:
        head: The first lines of the file, with their ends.
        names: Columns that the header should have.
        is_quoted: Whether fields may be enclosed in double quotes.
        has_header: Whether the first line names the columns.
        is_cut: Whether the file has more lines, so that the last row may be incomplete.
    """
    best, best_score = ",", (0, _MIN_CONSISTENT)
    for delimiter in _DELIMITERS:
        widths = []
        first: list[str] = []
        reader = _reader(head, delimiter, is_quoted=is_quoted)
        while True:
            try:
                fields = next(reader, None)
            except csv.Error:
                widths.append(0)
                continue
            if fields is None:
                break
            if fields:
                first = first or fields
                widths.append(len(fields))
        if is_cut and len(widths) > 1:
            widths.pop()
        if len(first) < 2:
            continue
        found = len({name.strip() for name in first} & set(names)) if has_header else 0
        score = (found, widths.count(len(first)) / len(widths))
        # The comma comes first and is left only for something better.
        if score > best_score or (delimiter == "," and score[1] >= _MIN_CONSISTENT):
            best, best_score = delimiter, score
    return best


def _head(lines: Iterable[str]) -> tuple[list[str], bool]:
    """The first lines, and whether there may be more."""
    head = []
    num_characters = 0
    for line in lines:
        head.append(line)
        num_characters += len(line)
        if len(head) == _HEAD_LINES or num_characters > _HEAD_CHARACTERS:
            return head, True
    return head, False


def _reader(lines: Iterable[str], delimiter: str, *, is_quoted: bool) -> Any:
    return csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE,
        quotechar='"' if is_quoted else None,
        strict=True,
    )


def _rows(
    reader: Any, lines: BoundedLines, source: Source, path: Path, num_skipped: int
) -> Iterator[tuple[int, list[str] | csv.Error]]:
    while True:
        lines.end_row()
        line = num_skipped + reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if "unexpected end" in str(error) or "field limit" in str(error):
                raise ConfigError(
                    f"source {source.name!r}: {path}: the quote opened in line {line} never closes; "
                    "close it, or set `quotes: false` if the file does not quote its fields"
                ) from error
            yield line, error
            continue
        if fields is None:
            return
        if fields:
            yield line, fields
