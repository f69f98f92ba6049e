"""Progress of a task, as a progress artifact in the UI and as lines of its log.

NOTE to its owner: the corpus worker overwrote this file by accident at 03:34, before it was ever
committed, and wrote this stand-in from the places that call it. Please put your own version back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

SECONDS_BETWEEN = 2.0


@contextmanager
def show_progress(title: str, *, total: int) -> Iterator[Callable[[int, str], None]]:
    """A function to call with what is done of ``total`` and a word about it."""
    logger = get_run_logger()
    artifact = create_progress_artifact(progress=0.0, description=title)
    spoken = time.monotonic()

    def advance(done: int, note: str) -> None:
        nonlocal spoken
        now = time.monotonic()
        if now - spoken < SECONDS_BETWEEN and done < total:
            return
        spoken = now
        update_progress_artifact(artifact, progress=100.0 * done / max(total, 1))
        logger.info("%s: %d of %d, %s", title, done, total, note)

    yield advance
    update_progress_artifact(artifact, progress=100.0)
