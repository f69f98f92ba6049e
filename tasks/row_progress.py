"""Show how far a task has come with its rows: in the log, and as a progress artifact in the UI."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

SECONDS_BETWEEN = 5.0


@contextmanager
def show_rows(what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A function to call with the rows done so far; it speaks every ``SECONDS_BETWEEN``.

    The artifact is made where ``total`` is known and the work takes that long at all: most sources are
    done before.
    """
    logger = get_run_logger()
    start = spoken = time.monotonic()
    artifact: UUID | None = None

    def on_progress(rows: int) -> None:
        nonlocal spoken, artifact
        now = time.monotonic()
        if now - spoken < SECONDS_BETWEEN:
            return
        spoken = now
        of_total = f" of {total:,}" if total else ""
        logger.info("%s: %s%s rows, %.0f a second", what, f"{rows:,}", of_total, rows / (now - start))
        if not total:
            return
        progress = min(100.0, 100.0 * rows / total)
        if artifact is None:
            created = create_progress_artifact(progress=progress, description=f"{what}: {total:,} rows")
            assert isinstance(created, UUID), "creating is only asynchronous within an event loop"
            artifact = created
        else:
            update_progress_artifact(artifact, progress=progress)

    yield on_progress
    if artifact is not None:
        update_progress_artifact(artifact, progress=100.0)
