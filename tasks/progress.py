"""Progress of a task: a moving bar in a terminal, lines in a log, a progress artifact in the UI."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[int, str], None]

LOG_EVERY_SECONDS = 15.0
ARTIFACT_EVERY_SECONDS = 5.0


@contextmanager
def show_progress(description: str, *, total: int) -> Iterator[Advance]:
    """Yields ``advance(done, note)``: how much is done of ``total``, and a few words on it."""
    show, finish = _shown_in_background(description)
    due_log, due_artifact = _every(LOG_EVERY_SECONDS), _every(ARTIFACT_EVERY_SECONDS)
    in_terminal = sys.stderr.isatty()
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    bar = Progress(
        *columns,
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        disable=not in_terminal,
    )
    with bar:
        row = bar.add_task(description, total=total, note="")

        def advance(done: int, note: str = "") -> None:
            bar.update(row, completed=done, note=note)
            if not in_terminal and (due_log() or done == total):
                get_run_logger().info("%s: %d of %d %s", description, done, total, note)
            if due_artifact():
                show(100.0 * done / max(1, total))

        yield advance
    finish()


def _shown_in_background(description: str) -> tuple[Callable[[float], None], Callable[[], None]]:
    """``show(progress)`` and ``finish()`` of a progress artifact: work never waits for a server that is gone.

    What cannot be shown, or would wait for what was to be shown before, is left out.
    """
    thread = ThreadPoolExecutor(max_workers=1)
    create = functools.partial(create_progress_artifact, progress=0.0, description=description)
    artifact = last = thread.submit(copy_context().run, create)

    def show(progress: float) -> None:
        nonlocal last
        if last.done() and artifact.exception() is None:
            update = functools.partial(update_progress_artifact, artifact.result(), progress=progress)
            last = thread.submit(copy_context().run, update)

    def finish() -> None:
        wait([last], timeout=ARTIFACT_EVERY_SECONDS)
        show(100.0)
        wait([last], timeout=ARTIFACT_EVERY_SECONDS)
        thread.shutdown(wait=False, cancel_futures=True)

    return show, finish


def _every(seconds: float) -> Callable[[], bool]:
    """A function that answers whether this many seconds have gone since it last said yes."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        if time.monotonic() - last < seconds:
            return False
        last = time.monotonic()
        return True

    return due
