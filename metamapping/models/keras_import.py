"""Importing Keras without the optional packages that it imports if they are installed.

If scikit-learn and pyplot are installed, Keras imports both, for a wrapper and a gallery that are not used
here. That takes more than a second in each of the processes of a run's stages. Both can still be imported
later.

    with lean_keras():
        from metamapping.training import loop
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

OPTIONAL_MODULES = ("sklearn", "matplotlib.pyplot")


@contextmanager
def lean_keras() -> Iterator[None]:
    """Hide ``OPTIONAL_MODULES`` from the imports of a block, except those that are imported already."""
    hidden = [name for name in OPTIONAL_MODULES if name not in sys.modules]
    # An entry of None makes Python raise ImportError for that name.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
