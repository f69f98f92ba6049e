"""Ctrl-C and SIGTERM end a run, wherever they find it.

Python raises an exception where a signal finds the main thread. In the middle of a library in C it may be
lost, or become another error: TensorFlow that traces a function goes on as if nothing had been, or raises
``SystemError``. So a run is told again until it ends.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN_SECONDS = 2.0


@contextmanager
def ends_when_told() -> Iterator[None]:
    """In the main thread: Ctrl-C raises ``KeyboardInterrupt``, SIGTERM ``SystemExit`` of its exit code.

    An error that comes out of here after either was told counts as it. What is on its way out is not
    disturbed again, unless by another signal.
    """
    told: list[int] = []
    is_repeated, is_over = threading.Event(), threading.Event()

    def tell_again() -> None:
        while not is_over.wait(AGAIN_SECONDS):
            is_repeated.set()
            _thread.interrupt_main(told[0])

    def end(number: int, _: FrameType | None) -> None:
        if is_repeated.is_set():
            is_repeated.clear()
            if _is_ending(sys.exception()):
                return
        told.append(number)
        if len(told) == 1:
            threading.Thread(target=tell_again, daemon=True).start()
        raise _ending(number)

    usual = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Exception as error:
        if told:
            raise _ending(told[0]) from error
        raise
    finally:
        is_over.set()
        for number, handler in usual.items():
            signal.signal(number, handler)


def _ending(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _is_ending(error: BaseException | None) -> bool:
    """Whether the exception that is being handled, or one that it came from, ends the run."""
    while error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        error = error.__cause__ or error.__context__
    return error is not None


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """What is started in here hears no Ctrl-C, unless on Windows: a blocked signal stays blocked there."""
    if sys.platform == "win32":
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
