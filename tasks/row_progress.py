"""Show how far a task has come, in the log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prefect.logging import get_run_logger

SECONDS_BETWEEN = 5.0


@contextmanager
def show_rows(what: str) -> Iterator[Callable[[int], None]]:
    """A function to call with the rows done so far; it speaks every ``SECONDS_BETWEEN``."""
    logger = get_run_logger()
    start = spoken = time.monotonic()

    def on_progress(rows: int) -> None:
        nonlocal spoken
        now = time.monotonic()
        if now - spoken >= SECONDS_BETWEEN:
            spoken = now
            logger.info("%s: %s rows, %.0f a second", what, f"{rows:,}", rows / (now - start))

    yield on_progress
