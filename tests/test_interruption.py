"""A run that is told to end does so, also where the first exception is lost on its way."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from flows import interruption
from flows.interruption import ends_when_told

NEVER_SECONDS = 3_600.0
SOON_SECONDS = 0.05
DEADLINE_SECONDS = 60.0
each_signal = pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)


@pytest.fixture(autouse=True)
def never_again(monkeypatch):
    """Nothing is sent a second time while a test runs, however slow the machine, unless it asks for that."""
    monkeypatch.setattr(interruption, "AGAIN_SECONDS", NEVER_SECONDS)


@pytest.fixture
def repeats(monkeypatch):
    """The signals that were sent again, soon and as often as it takes."""
    sent = []

    def interrupt_main(number):
        sent.append(number)
        _thread.interrupt_main(number)

    monkeypatch.setattr(interruption, "AGAIN_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(interruption, "_thread", SimpleNamespace(interrupt_main=interrupt_main))
    return sent


def work_until(is_done):
    """Steps of Python, as between a library's calls."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_done():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS:.0f} seconds"
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
def test_a_signal_whose_exception_was_lost_is_told_again(number, ending, repeats):
    @ends_when_told()
    def run():
        with suppress(ending):
            signal.raise_signal(number)
        work_until(lambda: False)

    with pytest.raises(ending):
        run()
    assert set(repeats) == {number}


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


def test_what_is_on_its_way_out_is_not_disturbed(repeats):
    cleaned = []

    @ends_when_told()
    def run():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            try:
                int("no number")  # another error that is handled meanwhile
            except ValueError:
                work_until(lambda: len(repeats) >= 3)
            work_until(lambda: len(repeats) >= 6)
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
    before = set(threading.enumerate())
    with suppress(KeyboardInterrupt), ends_when_told():
        signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == usual
    for thread in set(threading.enumerate()) - before:  # what would have told it again, an hour from now
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


def test_an_error_of_a_run_that_was_not_told_stays_that_error():
    @ends_when_told()
    def run():
        raise OSError("no space left on disk")

    with pytest.raises(OSError, match="disk"):
        run()
