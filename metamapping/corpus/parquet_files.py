"""Parquet files: opened with Arrow, which is imported here and only when there is such a file.

Using an encoder on other files and on texts needs no Arrow, which is half of all installed packages; the
extras ``parquet`` and ``train`` install it.

    with open_parquet("reviews.parquet") as file:
        batches = file.iter_batches()
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from metamapping.errors import MissingExtraError

if TYPE_CHECKING:
    import pyarrow.parquet as pq


@contextmanager
def needs_parquet_extra(what: str) -> Iterator[None]:
    """Within the block Arrow is imported; if it is missing, that is reported.

    Args:
        what: What needs it, as the subject of a sentence.

    Raises:
        MissingExtraError: Arrow is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise MissingExtraError(
            f"{what} needs pyarrow, which is not installed: pip install 'metamapping[parquet]'",
            name=error.name,
        ) from error


def open_parquet(file: str | Path | BinaryIO) -> pq.ParquetFile:
    """Open a Parquet file.

    Args:
        file: Its path, or an open file.

    Raises:
        MissingExtraError: Arrow is not installed.
    """
    with needs_parquet_extra("a Parquet file"):
        import pyarrow.parquet as pq
    return pq.ParquetFile(file)


def with_arrow_errors(*errors: type[Exception]) -> tuple[type[Exception], ...]:
    """Exceptions of Python, and what Arrow raises besides: nothing, as long as it was not imported.

    Args:
        errors: The exceptions of Python.
    """
    arrow: Any = sys.modules.get("pyarrow")
    return errors if arrow is None else (*errors, arrow.ArrowException)
