"""The rows of CSV and TSV files as dictionaries.

columns, rows = table_rows(read_delimited(file, source, path, "csv"), "reviews.csv")
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator

from metamapping.cli.rows import NumberedRow, Row, TableRow
from metamapping.corpus.delimited import Table
from metamapping.corpus.formats import listed_names


def table_rows(table: Table, name: str) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the columns of a table, and its rows.

    Args:
        table: The table.
        name: Name of the file for error messages.

    Returns:
        The names of the columns, which are numbers if there is no header, and the rows.

    Raises:
        ValueError: Two columns have the same name; while reading rows: a row cannot be read.
    """
    if table.header is None:
        first = list(itertools.islice(table.rows, 1))
        num_columns = len(first[0][1]) if first and isinstance(first[0][1], list) else 0
        expected = f"the first line has {num_columns}"
        columns = tuple(map(str, range(num_columns)))
        lines = itertools.chain(first, table.rows)
        return columns, _rows(lines, name, columns, expected, table.delimiter, NumberedRow)
    named = [column for column in table.header if column.strip()]
    if len(set(named)) != len(named):
        raise ValueError(
            f"{name}: its first line names a column twice ({listed_names(table.header)}): rename one"
        )
    columns = tuple(
        column if column.strip() else _free_name(i, table.header) for i, column in enumerate(table.header)
    )
    expected = f"the first line names {len(columns)} columns ({listed_names(table.header)})"
    return columns, _rows(table.rows, name, columns, expected, table.delimiter, TableRow)


def _free_name(number: int, header: list[str]) -> str:
    """The number of a column without a name, with as many spaces as it takes to be no other name."""
    name = str(number)
    while name in header:
        name = f" {name}"
    return name


def _rows(
    lines: Iterator[tuple[int, list[str] | csv.Error]],
    name: str,
    columns: tuple[str, ...],
    expected: str,
    delimiter: str,
    kind: type[TableRow],
) -> Iterator[Row]:
    for line, fields in lines:
        if isinstance(fields, csv.Error):
            raise ValueError(f"{name}: line {line} cannot be read ({fields}): fix its quotes")
        if len(fields) != len(columns):
            raise ValueError(
                f"{name}: line {line} has {len(fields)} fields, but {expected}: fix the line, quote the "
                f"field that contains a {delimiter!r}, or set the --delimiter, if it is another one"
                + (", or --format conll if each line is a word" if delimiter == "\t" else "")
            )
        yield kind(zip(columns, fields, strict=True))
