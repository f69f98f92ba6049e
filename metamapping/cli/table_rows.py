"""The rows of CSV, TSV and .xlsx files as dictionaries.

columns, rows = table_rows(read_delimited(file, source, path, "csv"), "reviews.csv")
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from metamapping.cli.rows import NumberedRow, Row, TableRow
from metamapping.corpus.delimited import Table


def table_rows(table: Table, name: str) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the columns of a table, and its rows.

    Args:
        table: The table.
        name: Name of the file for error messages.

    Returns:
        The names of the columns, and the rows. A column without a name, or with a name that another one
        has, too, is called by its number; so are all if there is no header.

    Raises:
        ValueError: While reading rows: a row cannot be read.
    """
    if table.header is None:
        first = list(itertools.islice(table.rows, 1))
        columns = tuple(map(str, range(len(first[0][1]) if first and isinstance(first[0][1], list) else 0)))
        rows = itertools.chain(first, table.rows)
        return columns, _rows(replace(table, rows=rows), name, columns, NumberedRow)
    columns = tuple(
        column if column.strip() and table.header.count(column) == 1 else _free_name(i, table.header)
        for i, column in enumerate(table.header)
    )
    return columns, _rows(table, name, columns, TableRow)


def _free_name(number: int, header: list[str]) -> str:
    """The number of a column without a name of its own, with as many spaces as it takes to be no other."""
    name = str(number)
    while name in header:
        name = f" {name}"
    return name


def _rows(table: Table, name: str, columns: tuple[str, ...], kind: type[TableRow]) -> Iterator[Row]:
    for line, fields in table.rows:
        if (problem := table.problem(line, fields, len(columns))) is not None:
            raise ValueError(f"{name}: {problem}")
        yield kind(zip(columns, cast(list[Any], fields), strict=True))
