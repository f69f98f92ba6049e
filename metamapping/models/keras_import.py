"""Importing Keras without the optional packages that it imports if they are installed, and quietly.

If scikit-learn and pyplot are installed, Keras imports both, for a wrapper and a gallery that are not used
here. That takes more than a second in each of the processes of a run's stages. Both can still be imported
later.

    with lean_keras():
        from metamapping.training import loop

TensorFlow's C++ code writes messages to standard error before any log level takes effect (tensorflow issue
100442). ``quiet_keras`` discards them where ``TF_CPP_MIN_LOG_LEVEL`` asks for silence, as the command line
does: they would hide the one sentence that a command prints.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from metamapping.errors import needs_train_extra

OPTIONAL_MODULES = ("sklearn", "matplotlib.pyplot")


@contextmanager
def lean_keras(what: str = "training") -> Iterator[None]:
    """Hide ``OPTIONAL_MODULES`` from the imports of a block, except those that are imported already.

    Args:
        what: What needs Keras, as the subject of a sentence.

    Raises:
        MissingExtraError: A package of the extra ``train`` is not installed.
    """
    hidden = [name for name in OPTIONAL_MODULES if name not in sys.modules]
    # An entry of None makes Python raise ImportError for that name.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        with needs_train_extra(what):
            yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def quiet_keras(what: str) -> Iterator[None]:
    """Discard what TensorFlow's C++ code writes to standard error, if errors alone are to be shown.

    If an exception is raised in the block, the messages are shown. Packages are hidden as by ``lean_keras``
    in the same case only: other threads of a program may import them at this moment.

    Args:
        what: What needs Keras, as the subject of a sentence.

    Raises:
        MissingExtraError: A package of the extra ``train`` is not installed.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "3" or "tensorflow" in sys.modules:
        with needs_train_extra(what):
            yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            with lean_keras(what):
                yield
        except BaseException:
            output.seek(0)
            os.write(stderr, output.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
