"""A run that is told to end does so, also where the first exception is lost on its way."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

import pytest

from flows import signals
from flows.signals import ends_when_told

AGAIN_SECONDS = 0.05
LONG_SECONDS = 10 * AGAIN_SECONDS
each_signal = pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)


@pytest.fixture(autouse=True)
def soon_again(monkeypatch):
    monkeypatch.setattr(signals, "AGAIN_SECONDS", AGAIN_SECONDS)


def work(seconds):
    """Steps of Python, as between a library's calls."""
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        time.sleep(0.001)


@each_signal
def test_a_signal_ends_what_runs_at_once(number, ending):
    @ends_when_told()
    def run():
        signal.raise_signal(number)
        pytest.fail("it went on")

    with pytest.raises(ending) as raised:
        run()
    if ending is SystemExit:
        assert raised.value.code == 128 + number


@each_signal
def test_a_signal_whose_exception_was_lost_is_told_again(number, ending):
    @ends_when_told()
    def run():
        with suppress(ending):
            signal.raise_signal(number)
        work(60)
        pytest.fail("it went on")

    with pytest.raises(ending):
        run()


@each_signal
def test_a_signal_that_became_an_error_is_still_one(number, ending):
    @ends_when_told()
    def run():
        with suppress(ending):
            signal.raise_signal(number)
        raise SystemError("bad argument to internal function")

    with pytest.raises(ending) as raised:
        run()
    assert isinstance(raised.value.__cause__, SystemError)


def test_what_is_on_its_way_out_is_not_disturbed():
    cleaned = []

    @ends_when_told()
    def run():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            try:
                int("no number")  # another error that is handled meanwhile
            except ValueError:
                work(LONG_SECONDS)
            work(LONG_SECONDS)
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert cleaned


def test_somebody_who_insists_ends_the_way_out_too():
    @ends_when_told()
    def run():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            pytest.fail("it went on")

    with pytest.raises(KeyboardInterrupt):
        run()


def test_nothing_is_told_again_once_it_has_ended():
    usual = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with suppress(KeyboardInterrupt), ends_when_told():
        signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == usual
    work(LONG_SECONDS)


def test_an_error_of_a_run_that_was_not_told_stays_that_error():
    @ends_when_told()
    def run():
        raise OSError("no space left on disk")

    with pytest.raises(OSError, match="disk"):
        run()
