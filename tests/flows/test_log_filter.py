"""What a run's log contains after a validation error, and after any other error."""

import logging

import pytest
from prefect.logging.loggers import get_logger

import flows  # noqa: F401  (installs the filters)
from flows.log_filter import LOGGERS
from flows.subflows import StageError
from metamapping.errors import ConfigError, StoreError


def logged(name, error, caplog):
    """The text that is logged when Prefect's engine reports an exception."""
    logger = get_logger(name)
    logger.addHandler(caplog.handler)
    try:
        raise error
    except type(error) as exc:
        logger.exception("Encountered exception during execution: %r", exc)
    finally:
        logger.removeHandler(caplog.handler)
    return logging.Formatter().format(caplog.records[-1])


@pytest.mark.parametrize("name", LOGGERS)
@pytest.mark.parametrize("kind", [ConfigError, StoreError, StageError])
def test_a_validation_error_is_logged_as_its_message_alone(name, kind, caplog):
    assert logged(name, kind("100 % of 'a' is invalid: fix it"), caplog) == "100 % of 'a' is invalid: fix it"


@pytest.mark.parametrize("name", LOGGERS)
def test_any_other_error_keeps_its_traceback(name, caplog):
    text = logged(name, ZeroDivisionError("by nothing"), caplog)
    assert text.startswith("Encountered exception during execution: ZeroDivisionError('by nothing')")
    assert "Traceback (most recent call last)" in text
