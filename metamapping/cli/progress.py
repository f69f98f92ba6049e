"""Progress, on standard error and only where that is a terminal: data has standard output to itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def counted(what: str) -> Iterator[Callable[[int], None]]:
    """A function that is told how many more rows are done; how many will come is not known."""
    columns = (SpinnerColumn(), TextColumn("{task.completed:,} " + what), TimeElapsedColumn())
    shown = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with shown as bar:
        task = bar.add_task(what, total=None)
        yield lambda count: bar.advance(task, count)


def say(sentence: str) -> None:
    """A sentence beside the data."""
    print(sentence, file=sys.stderr)
