"""Row progress: shows how many rows a task has processed, in the log and as a progress artifact in the UI.

with show_rows("clean banking77", total=10_000) as on_progress:
    on_progress(500)
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from metamapping.runs.progress import show_rows as on_screen

SECONDS_BETWEEN = 5.0


@contextmanager
def show_rows(what: str, *, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of rows done so far.

    It reports at most every ``SECONDS_BETWEEN``. The artifact is only created if ``total`` is known and
    the work takes longer than that: most sources are done before.

    Args:
        what: What the rows are processed for, such as ``clean banking77``.
        total: The number of rows, if it is known.
    """
    logger = get_run_logger()
    start = reported = time.monotonic()
    artifact: UUID | None = None

    def on_progress(rows: int) -> None:
        nonlocal reported, artifact
        advance(rows)
        now = time.monotonic()
        if now - reported < SECONDS_BETWEEN:
            return
        reported = now
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

    with on_screen(what, total=total) as advance:
        yield on_progress
    if artifact is not None:
        update_progress_artifact(artifact, progress=100.0)
