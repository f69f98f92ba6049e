"""Refusals in Prefect's logs: the sentence that says what to mend, without Prefect's own traceback.

A configuration or store that is refused is no fault in the code: its sentence names the value, what was
expected and the mend, and stands alone in the terminal and on the run's page. All other errors keep
their traceback.
"""

from __future__ import annotations

import logging

from metamapping.errors import ConfigError, StoreError

LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")


def drop_traceback(record: logging.LogRecord) -> bool:
    """A filter of ``logging`` that lets all records through, those on a refusal as its sentence."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConfigError | StoreError):
        record.msg, record.args, record.exc_info = "%s", (str(error),), None
    return True


def drop_tracebacks() -> None:
    """Once is enough: the same filter is not added twice."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(drop_traceback)
