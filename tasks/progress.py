"""Progress of a task: on the screen of the run where there is one, else in the log; an artifact in the UI.

with show_progress("round 1: meta-steps", total=100) as work:
    work.advance(25, "loss 0.812")
say("round 1: trained")
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from metamapping.runs.screen import Work, current_screen
from tasks.suspension import hold_if_paused

LOG_EVERY_SECONDS = 15.0
ARTIFACT_EVERY_SECONDS = 5.0


class LoggedWork(Work):
    """Work that also writes lines into the log of its task run, where no screen shows it, and an artifact.

    Args:
        what: What is being counted.
        total: Number of steps of the whole work.
        update_artifact: Called with the percentage of the work that is done.
        shown: The same work on the screen.
    """

    def __init__(self, what: str, total: int, update_artifact: Callable[[float], None], shown: Work) -> None:
        self._shown, self._update_artifact, self._is_first_part = shown, update_artifact, True
        self._is_log_due, self._is_artifact_due = _every(LOG_EVERY_SECONDS), _every(ARTIFACT_EVERY_SECONDS)
        super().__init__(what, total)

    def begin(self, what: str, total: int | None = None) -> None:
        """Continue with the next part of the work; the artifact shows the first one only."""
        self._is_first_part = not hasattr(self, "what")
        super().begin(what, total)
        self._shown.begin(what, total)

    def advance(self, done: int, note: str = "") -> None:
        """Say how far the work is; hold where the flow run was suspended or paused."""
        hold_if_paused()
        super().advance(done, note)
        self._shown.advance(done, note)
        if not current_screen().is_shown and (self._is_log_due() or done == self.total):
            get_run_logger().info("%s", self)
        if self._is_first_part and self.total and self._is_artifact_due():
            self._update_artifact(100.0 * done / self.total)


@contextmanager
def show_progress(description: str, *, total: int) -> Iterator[Work]:
    """Show how much of some work is done.

    Args:
        description: What is being counted.
        total: Number of steps of the whole work.

    Yields:
        The work, which is notified of its progress. It holds where the flow run was suspended or paused.
    """
    update_artifact, finish_artifact = _background_artifact(description)
    with current_screen().work(description, total) as shown:
        yield LoggedWork(description, total, update_artifact, shown)
    finish_artifact()


def say(sentence: str) -> None:
    """Write a line into the log of the current flow or task run, and on the screen where there is one.

    Args:
        sentence: The line.
    """
    get_run_logger().info("%s", sentence)
    current_screen().say(sentence)


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
