"""The verdict on one input, within limits of time and memory.

    with bounded_memory(2_000):
        finding = try_one(lambda: target.run(data, rng))

``None`` means that the input was read, or rejected with one of the project's own errors in one sentence.
"""

from __future__ import annotations

import resource
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from metamapping.errors import ConfigError, StoreError

MAX_SECONDS = 10.0
# A message may list what is wrong in many fields, but must not repeat the whole input.
MAX_CHARACTERS, MAX_LINES = 20_000, 22

# The exact types that the project raises; a subclass, of which ``ValueError`` has many, comes from elsewhere.
EXPECTED_ERRORS = (ConfigError, StoreError, ValueError, FileNotFoundError)


class TooSlowError(BaseException):
    """An input took longer than ``MAX_SECONDS``; a ``BaseException``, so that no handler swallows it."""


def try_one(run: Callable[[], object]) -> str | None:
    """Treat one input by calling ``run``, and say what is wrong with how it was treated.

    Returns:
        A sentence about the fault, or ``None`` if there is none.
    """
    signal.signal(signal.SIGALRM, _too_slow)
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
    try:
        run()
    except TooSlowError:
        return f"took longer than {MAX_SECONDS:.0f} seconds"
    except MemoryError as error:
        return f"MemoryError: {error}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        message = str(error)
        is_readable = message.strip() and len(message) < MAX_CHARACTERS and message.count("\n") < MAX_LINES
        if type(error) in EXPECTED_ERRORS and is_readable:
            return None
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {message[:200]!r}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


@contextmanager
def bounded_memory(megabytes: int) -> Iterator[None]:
    """Limit by how many megabytes the address space of this process may grow."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    soft_limit = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (soft_limit, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _too_slow(*_: object) -> None:
    raise TooSlowError
