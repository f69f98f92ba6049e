"""What a run's log contains after a validation error, and after any other error."""

import logging
from contextlib import suppress

import pytest
from prefect.logging.loggers import get_logger

import flows  # noqa: F401  (installs the filters)
from flows.errors import StageError
from flows.log_filter import LOGGERS
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


def recorded(caplog):
    """The records, each once: those of a logger that propagates reach the handler a second time."""
    return list(dict.fromkeys(caplog.records))


@pytest.mark.parametrize("name", LOGGERS)
@pytest.mark.parametrize("kind", [ConfigError, StoreError, StageError])
def test_a_validation_error_is_logged_as_its_message_alone(name, kind, caplog):
    assert logged(name, kind("100 % of 'a' is invalid: fix it"), caplog) == "100 % of 'a' is invalid: fix it"


@pytest.mark.parametrize("name", LOGGERS)
def test_any_other_error_keeps_its_traceback(name, caplog):
    text = logged(name, ZeroDivisionError("by nothing"), caplog)
    assert text.startswith("Encountered exception during execution: ZeroDivisionError('by nothing')")
    assert "Traceback (most recent call last)" in text


@pytest.mark.parametrize("kind", [ConfigError, ZeroDivisionError])
def test_an_error_that_passes_through_task_and_flow_is_explained_once(kind, caplog):
    error = kind("a cause")
    for name in ("prefect.task_runs", "prefect.flow_runs", "prefect.engine"):
        with suppress(IndexError):  # nothing was logged
            logged(name, error, caplog)
    texts = [logging.Formatter().format(record) for record in recorded(caplog)]
    assert "\n".join(texts).count("Traceback") == (kind is ZeroDivisionError)
    assert len(texts) == (1 if kind is ConfigError else 3)


def test_two_errors_of_equal_text_are_both_logged(caplog):
    for _ in range(2):
        logged("prefect.flow_runs", ConfigError("a cause"), caplog)
    assert len(recorded(caplog)) == 2


def test_the_final_state_does_not_repeat_the_error(caplog):
    logger = get_logger("prefect.flow_runs")
    logger.addHandler(caplog.handler)
    logger.error("Finished in state Failed('Flow run encountered an exception: ConfigError: a cause')")
    logger.error("Finished in state %s", "Completed('Published')")
    logger.removeHandler(caplog.handler)
    said = [record.getMessage() for record in recorded(caplog)]
    assert said == ["Finished in state Failed", "Finished in state Completed('Published')"]
