"""Progress of a run's stages on the screen of the run, whichever way the run was started.

with current_screen().work("round 1: validation sources", total=8) as work:
    evaluate_stage(run, 1, on_progress=count_sources(work, sources))
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from metamapping.models.keras_import import quiet_keras
from metamapping.runs.screen import Work, current_screen


@contextmanager
def show_rows(what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show work on rows as long as the block takes.

    Args:
        what: What the rows are processed for, such as ``clean banking77``.
        total: The number of rows, if it is known.

    Yields:
        A function to call with the number of rows done so far.
    """
    with current_screen().work(f"{what}: rows" if total else what, total) as work:
        yield work.advance


def count_sources(work: Work, sources: Sequence[str]) -> Callable[[str, int], None]:
    """Advance a work by the sources whose texts are being encoded, pass after pass.

    Args:
        work: Its total is the number of sources times the number of passes over them.
        sources: The names of the sources, in order.

    Returns:
        A callback for the name of a source and the number of its texts that were just encoded.
    """
    finished, last = 0, 0

    def on_texts(source: str, _: int) -> None:
        nonlocal finished, last
        index = sources.index(source)
        if index < last:
            finished += len(sources)
        last = index
        work.advance(finished + index, source)

    return on_texts


def load_tensorflow() -> None:
    """Import what training and evaluation need; the screen shows it, and hides the libraries' messages."""
    if "tensorflow" in sys.modules or not current_screen().is_shown:
        return
    with current_screen().work("loading TensorFlow"), quiet_keras("training"):
        importlib.import_module("metamapping.training.loop")
