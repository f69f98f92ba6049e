"""A filter for Prefect's loggers: validation errors are logged as one sentence, without a traceback.

A rejected configuration or a damaged store is not a bug in the code. Its message names the value, what was
expected and how to fix it, and that sentence alone goes to the terminal and to the page of the run. All
other errors keep their traceback. ``flows/__init__.py`` installs the filter.
"""

from __future__ import annotations

import logging

from flows.subflows import StageError
from metamapping.errors import ConfigError, StoreError

LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")


def install_filters() -> None:
    """Add the filter to Prefect's loggers; calling it again changes nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(shorten_validation_error)


def shorten_validation_error(record: logging.LogRecord) -> bool:
    """Reduce the record of a validation error to its message.

    Args:
        record: A log record, which is changed in place.

    Returns:
        Always ``True``: no record is dropped.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConfigError | StoreError | StageError):
        record.msg, record.args, record.exc_info = "%s", (str(error),), None
    return True
