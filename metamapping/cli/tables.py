"""Tables (for people) and JSON (for programs) on standard output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table without lines. Cells that are too wide are folded, not truncated.

    Args:
        columns: Headers of the columns; the header is omitted if all are empty.
        rows: Cells of each row.
    """
    console = Console()
    table = Table(box=None, pad_edge=False, show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)


def print_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table of one line for each row, however wide the terminal: names can be copied from it.

    Args:
        columns: Headers of the columns.
        rows: Cells of each row.
    """
    lines = [columns, *rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    """Print a JSON value."""
    print(json.dumps(value, indent=1, ensure_ascii=False))
