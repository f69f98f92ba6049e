"""Import of Arrow, which only Parquet files and some compressions need.

Using an encoder on other files and on texts needs no Arrow, which is half of all installed packages; the
extras ``parquet`` and ``train`` install it.

    with needs_parquet_extra("a Parquet file"):
        import pyarrow.parquet as pq
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from metamapping.errors import MissingExtraError


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


def parquet_files() -> ModuleType:
    """The module ``corpus.parquet_files``, which imports Arrow.

    Raises:
        MissingExtraError: Arrow is not installed.
    """
    with needs_parquet_extra("a Parquet file"):
        from metamapping.corpus import parquet_files
    return parquet_files


def with_arrow_errors(*errors: type[Exception]) -> tuple[type[Exception], ...]:
    """Exceptions of Python, and what Arrow raises besides: nothing, as long as it was not imported.

    Args:
        errors: The exceptions of Python.
    """
    arrow: Any = sys.modules.get("pyarrow")
    return errors if arrow is None else (*errors, arrow.ArrowException)
