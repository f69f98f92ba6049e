"""Guard: what becomes of one input, within limits of time and memory.

with bounded_memory(2_000):
    finding = try_one(lambda: target.run(data, rng))       # None: read, or refused in a sentence
"""

from __future__ import annotations

import resource
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from metamapping.errors import ConfigError, StoreError

SECONDS = 10.0
MOST_CHARACTERS, MOST_LINES = 20_000, 22

# Their sentences are the project's own; a subclass (of ``ValueError`` there are many) is somebody else's.
REFUSALS = (ConfigError, StoreError, ValueError, FileNotFoundError)


class TooSlowError(BaseException):
    """An input took longer than ``SECONDS``."""


def try_one(run: Callable[[], object]) -> str | None:
    """What is wrong with how an input is treated; ``None`` where nothing is."""
    signal.signal(signal.SIGALRM, _too_slow)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        run()
    except TooSlowError:
        return f"took longer than {SECONDS:.0f} seconds"
    except MemoryError as error:
        return f"MemoryError: {error}"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        said = str(error)
        is_sentence = said.strip() and len(said) < MOST_CHARACTERS and said.count("\n") < MOST_LINES
        if type(error) in REFUSALS and is_sentence:
            return None
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {said[:200]!r}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


@contextmanager
def bounded_memory(megabytes: int) -> Iterator[None]:
    """Let this process grow by no more than so much."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    most = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def _too_slow(*_: object) -> None:
    raise TooSlowError
