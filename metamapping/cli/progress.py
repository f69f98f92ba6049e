"""Progress and notes on standard error: standard output is for data only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def count_progress(what: str) -> Iterator[Callable[[int], None]]:
    """Count items whose total is not known. Nothing is shown if standard error is not a terminal.

    Args:
        what: Name of the items.

    Yields:
        A function that is called with the number of newly finished items.
    """
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} " + what), TimeElapsedColumn())
    shown = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with shown as bar:
        task = bar.add_task(what, total=None)
        yield lambda count: bar.advance(task, count)


def print_note(sentence: str) -> None:
    """Print a sentence to standard error."""
    print(sentence, file=sys.stderr)
