"""Forks: an encoder does not work in a process that was forked after one was loaded.

The threads of its engine (onnxruntime or TensorFlow) do not exist in the fork, so that it would wait for them
forever. This module makes that
an error. The parent process is not affected.

    check_not_forked()      # before an encoder is loaded or used
"""

from __future__ import annotations

import os

_process: int | None = None  # the process in which an encoder was first used; a fork inherits it


def check_not_forked() -> None:
    """Check that this process may use an encoder; the first call marks the process.

    Raises:
        RuntimeError: The process was forked from one that had already loaded an encoder.
    """
    global _process
    if _process is None:
        _process = os.getpid()
    if _process != os.getpid():
        raise RuntimeError(
            f"this process ({os.getpid()}) was forked from process {_process} after an encoder had been "
            "loaded there, and the threads of its engine do not exist in the fork: start the process with "
            "the method 'spawn' (multiprocessing.get_context('spawn')), or load encoders only in the forked "
            "processes, not before the fork"
        )
