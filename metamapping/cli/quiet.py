"""Quiet: TensorFlow imported without the lines that its C++ part writes to standard error.

They come before any log level is heeded (tensorflow issue 100442), and would stand between a user and
the one sentence that a command has to say.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from metamapping.models.keras_import import lean_keras


@contextmanager
def quiet_import() -> Iterator[None]:
    """Hold back what is written to the standard error's descriptor; an import that fails shows it."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            with lean_keras():
                yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
