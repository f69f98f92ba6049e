"""A run ends on SIGINT and SIGTERM, even when the first exception is lost on its way."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from metamapping.cli import signals
from metamapping.cli.signals import exit_on_signals

NEVER_SECONDS = 3_600.0
SOON_SECONDS = 0.05
DEADLINE_SECONDS = 60.0
each_signal = pytest.mark.parametrize(
    ("number", "ending"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)


@pytest.fixture(autouse=True)
def never_resent(monkeypatch):
    """No signal is sent again while a test runs, however slow the machine, unless the test asks for it."""
    monkeypatch.setattr(signals, "RESEND_SECONDS", NEVER_SECONDS)


@pytest.fixture
def resent(monkeypatch):
    """The signals that were sent again, soon and as often as it takes."""
    sent = []

    def interrupt_main(number):
        sent.append(number)
        _thread.interrupt_main(number)

    monkeypatch.setattr(signals, "RESEND_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(signals, "_thread", SimpleNamespace(interrupt_main=interrupt_main))
    return sent


def work_until(is_done):
    """Small steps of Python, as between two calls into a library."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_done():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS:.0f} seconds"
        time.sleep(0.001)


@each_signal
def test_a_signal_ends_the_run_at_once(number, ending):
    @exit_on_signals()
    def run():
        signal.raise_signal(number)
        pytest.fail("the run continued")

    with pytest.raises(ending) as raised:
        run()
    if ending is SystemExit:
        assert raised.value.code == 128 + number


@each_signal
def test_a_signal_whose_exception_was_lost_is_sent_again(number, ending, resent):
    @exit_on_signals()
    def run():
        with suppress(ending):
            signal.raise_signal(number)
        work_until(lambda: False)

    with pytest.raises(ending):
        run()
    assert set(resent) == {number}


@each_signal
def test_an_error_caused_by_a_signal_is_replaced_by_the_signals_exception(number, ending):
    @exit_on_signals()
    def run():
        with suppress(ending):
            signal.raise_signal(number)
        raise SystemError("bad argument to internal function")

    with pytest.raises(ending) as raised:
        run()
    assert isinstance(raised.value.__cause__, SystemError)


def test_cleanup_is_not_interrupted_by_signals_sent_again(resent):
    cleaned = []

    @exit_on_signals()
    def run():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            try:
                int("not a number")  # an unrelated error that is handled during cleanup
            except ValueError:
                work_until(lambda: len(resent) >= 3)
            work_until(lambda: len(resent) >= 6)
            cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert cleaned


def test_a_second_ctrl_c_interrupts_cleanup():
    @exit_on_signals()
    def run():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            pytest.fail("the run continued")

    with pytest.raises(KeyboardInterrupt):
        run()


def test_no_signal_is_sent_again_after_the_run_has_ended():
    previous = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    before = set(threading.enumerate())
    with suppress(KeyboardInterrupt), exit_on_signals():
        signal.raise_signal(signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == previous
    for thread in set(threading.enumerate()) - before:  # it would send the signal again in an hour
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


def test_without_a_signal_errors_pass_unchanged():
    @exit_on_signals()
    def run():
        raise OSError("no space left on disk")

    with pytest.raises(OSError, match="disk"):
        run()
