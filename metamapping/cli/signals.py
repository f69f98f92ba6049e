"""Ctrl-C and SIGTERM end a run, wherever in the code they arrive.

Python raises an exception in the main thread when a signal arrives. If the main thread is inside a C
library at that moment, the exception may get lost or turn into another error: TensorFlow, while it traces
a function, continues as if nothing had happened or raises ``SystemError``. Therefore the signal is sent
again until the run ends.

    with exit_on_signals():
        meta_pretraining(config)
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RESEND_SECONDS = 2.0


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Within the block, Ctrl-C raises ``KeyboardInterrupt`` and SIGTERM raises ``SystemExit(143)``.

    Use it in the main thread. After a signal, any other error that leaves the block is replaced by the
    signal's exception. While that exception is propagating, signals that are sent again are ignored, so
    that cleanup code runs undisturbed; only a new signal interrupts it.

    Raises:
        KeyboardInterrupt: On SIGINT.
        SystemExit: On SIGTERM, with the exit code 128 + 15.
    """
    received: list[int] = []
    is_resent, is_over = threading.Event(), threading.Event()

    def resend(number: signal.Signals) -> None:
        while not is_over.wait(RESEND_SECONDS):
            is_resent.set()
            _thread.interrupt_main(number)

    def handle(number: int, _: FrameType | None) -> None:
        if is_resent.is_set():
            is_resent.clear()
            if _is_exiting(sys.exception()):
                return
        received.append(number)
        if len(received) == 1:
            threading.Thread(target=resend, args=(signal.Signals(number),), daemon=True).start()
        raise _exception_of(number)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Exception as error:
        if received:
            raise _exception_of(received[0]) from error
        raise
    finally:
        is_over.set()
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextmanager
def block_interrupts() -> Iterator[None]:
    """Processes that are started within the block never receive Ctrl-C: they inherit the signal mask.

    On Windows, which has no signal masks, the block does nothing.
    """
    if sys.platform == "win32":
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _exception_of(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _is_exiting(error: BaseException | None) -> bool:
    """Whether the exception being handled, or one in its chain of causes, is ending the run."""
    while error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        error = error.__cause__ or error.__context__
    return error is not None
