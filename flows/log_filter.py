"""A filter for Prefect's loggers: an error is logged once, and a validation error without a traceback.

A rejected configuration or a damaged store is not a bug in the code. Its message names the value, what was
expected and how to fix it, and that sentence alone goes to the terminal and to the page of the run. All
other errors keep their traceback. Prefect logs an error again in each flow and task that it passes through;
what was logged already is dropped, or loses its traceback. ``flows/__init__.py`` installs the filter.
"""

from __future__ import annotations

import logging

from flows.errors import StageError
from metamapping.errors import ConfigError, StoreError

LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")
FAILED = "Finished in state Failed"
LOGGED = "_is_logged"  # an attribute of errors: built-in ones cannot be in a set of weak references


def install_filters() -> None:
    """Add the filter to Prefect's loggers; calling it again changes nothing."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(shorten_error)


def shorten_error(record: logging.LogRecord) -> bool:
    """Reduce the record of an error to what has not been logged yet.

    Args:
        record: A log record, which is changed in place.

    Returns:
        Whether to log it.
    """
    if record.getMessage().startswith(FAILED):  # the message of the state is that of the error
        record.msg, record.args = FAILED, ()
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return True
    is_repeated = LOGGED in vars(error)
    vars(error)[LOGGED] = True
    if isinstance(error, ConfigError | StoreError | StageError):
        record.msg, record.args, record.exc_info = "%s", (str(error),), None
        return not is_repeated
    if is_repeated:
        record.exc_info = None
    return True
