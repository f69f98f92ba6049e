"""Import TensorFlow without the messages that its C++ code writes to standard error.

They are written before any log level takes effect (tensorflow issue 100442), and would hide the one
sentence that a command prints.
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
    """Within the block, output to file descriptor 2 is discarded; if an exception is raised, it is shown."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            with lean_keras():
                yield
        except BaseException:
            output.seek(0)
            os.write(stderr, output.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
