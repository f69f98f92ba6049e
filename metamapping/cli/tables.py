"""Tables and JSON on standard output: the one for people, the other for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table without lines; what is wider than a terminal is not cut where there is none."""
    console = Console()
    table = Table(box=None, pad_edge=False, show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table, markup=False)


def print_json(value: Any) -> None:
    """One JSON value."""
    print(json.dumps(value, indent=1, ensure_ascii=False))
