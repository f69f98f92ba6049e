"""Keras imported without what it takes along for nothing.

Where scikit-learn and pyplot are installed Keras imports both, for a wrapper and a gallery that nobody here
uses: more than a second of each of the processes that the stages of a run are. They can be imported later.

    with lean_keras():
        from metamapping import training
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

TAKEN_ALONG = ("sklearn", "matplotlib.pyplot")


@contextmanager
def lean_keras() -> Iterator[None]:
    """A block whose imports find none of ``TAKEN_ALONG``, but for what was imported before."""
    hidden = [name for name in TAKEN_ALONG if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: an ImportError
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
