"""Progress of a task: a bar in a terminal, lines in a log, a progress artifact in the UI.

with show_progress("round 1: meta-steps", total=100) as advance:
    advance(25, "loss 0.812")
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tasks.suspension import hold_if_paused

Advance = Callable[[int, str], None]

LOG_EVERY_SECONDS = 15.0
ARTIFACT_EVERY_SECONDS = 5.0


@contextmanager
def show_progress(description: str, *, total: int) -> Iterator[Advance]:
    """Show how much of some work is done.

    Args:
        description: What is being counted.
        total: Number of steps of the whole work.

    Yields:
        ``advance(done, note)``, to be called with the number of finished steps and a short remark. It holds
        where the flow run was suspended or paused.
    """
    update_artifact, finish_artifact = _background_artifact(description)
    is_log_due, is_artifact_due = _every(LOG_EVERY_SECONDS), _every(ARTIFACT_EVERY_SECONDS)
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
            hold_if_paused()
            bar.update(row, completed=done, note=note)
            if not in_terminal and (is_log_due() or done == total):
                get_run_logger().info("%s: %d of %d %s", description, done, total, note)
            if is_artifact_due():
                update_artifact(100.0 * done / max(1, total))

        yield advance
    finish_artifact()


def _background_artifact(description: str) -> tuple[Callable[[float], None], Callable[[], None]]:
    """``update(percent)`` and ``finish()`` of a progress artifact.

    A thread talks to the server, so that the work never waits for a server that is down. An update that
    would have to wait for the one before it is dropped.
    """
    thread = ThreadPoolExecutor(max_workers=1)
    # The context holds the current flow run, and the settings with the server's address.
    created = thread.submit(copy_context().run, functools.partial(_create_artifact, description))
    last: Future[Any] = created

    def update(percent: float) -> None:
        nonlocal last
        if last.done() and created.exception() is None:
            send = functools.partial(update_progress_artifact, created.result(), progress=percent)
            last = thread.submit(copy_context().run, send)

    def finish() -> None:
        wait([last], timeout=ARTIFACT_EVERY_SECONDS)
        update(100.0)
        wait([last], timeout=ARTIFACT_EVERY_SECONDS)
        thread.shutdown(wait=False, cancel_futures=True)

    return update, finish


def _create_artifact(description: str) -> UUID:
    artifact_id = create_progress_artifact(progress=0.0, description=description)
    assert isinstance(artifact_id, UUID), "creating is only asynchronous within an event loop"
    return artifact_id


def _every(seconds: float) -> Callable[[], bool]:
    """A function that returns ``True`` at most once in this many seconds."""
    last = time.monotonic()

    def is_due() -> bool:
        nonlocal last
        if time.monotonic() - last < seconds:
            return False
        last = time.monotonic()
        return True

    return is_due
