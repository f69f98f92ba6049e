"""Values of rows by the names of their columns, with messages that name the row.

value_of(row, "data.text")
read_all(text_of, [("the text of row 1", row["text"])])      # errors begin with the place
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from metamapping.cli.rows import Row, TableRow
from metamapping.corpus.columns import Setting, has_name, listed_names, nested_value
from metamapping.corpus.values import UnusableError

PEEKED_ROWS = 100  # whose columns say whether a column exists

Value = TypeVar("Value")


def place_in_row(setting: Setting, number: int, column: str) -> str:
    """Return what messages call a value.

    Args:
        setting: What the value is.
        number: The row's number.
        column: The column's name.
    """
    return f"the {setting} of row {number} (column {column!r})"


def value_of(row: Row, name: str) -> Any:
    """Return a value, or ``None`` if the row has none of that name.

    Args:
        row: The row.
        name: A name, of which a dot leads into nested fields, or a number.
    """
    value = nested_value(row, name)
    if value is None and isinstance(row, TableRow) and (place := _number(name, row)) is not None:
        value = list(row.values())[place]
    return value


def check_has(row: Row, name: str, setting: Setting, number: int) -> None:
    """Check that a row has a column.

    Args:
        row: The row.
        name: The column's name.
        setting: What is read from it.
        number: The row's number.

    Raises:
        ValueError: It has not.
    """
    if not has_column(row, name):
        raise ValueError(
            f"row {number} has no {name!r}, but {listed_names(row) or 'nothing'}: name its column with "
            f"--{setting}, or fix the row"
        )


def has_column(row: Row, name: str) -> bool:
    """Return whether a row has a column.

    Args:
        row: The row.
        name: Its name or number.
    """
    return has_name(row, name) or (isinstance(row, TableRow) and _number(name, row) is not None)


def _number(name: str, row: Row) -> int | None:
    """The number of a column that is called by it."""
    if not name.removeprefix("-").isdecimal():
        return None
    return int(name) if -len(row) <= int(name) < len(row) else None


def read_all(read: Callable[[Any], Value], values: Iterable[tuple[str, Any]]) -> list[Value]:
    """Read values.

    Args:
        read: Reads one, or raises ``UnusableError``.
        values: The place of each, for messages, and the value.

    Raises:
        ValueError: One is not usable.
    """
    return [read_one(read, place, value) for place, value in values]


def read_one(read: Callable[[Any], Value], place: str, value: Any) -> Value:
    """Read a value.

    Args:
        read: Reads it, or raises ``UnusableError``.
        place: What messages call it.
        value: The value.

    Raises:
        ValueError: It is not usable.
    """
    try:
        return read(value)
    except UnusableError as error:
        raise ValueError(f"{place} {error}") from error
