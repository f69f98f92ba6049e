"""Worker process: one machine's part of one round, started by ``worker_part``.

python -m metamapping.runs.worker_process RUN ROUND
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

from metamapping.errors import ConfigError, one_line
from metamapping.runs.folder import RunFolder
from metamapping.runs.worker_part import CONFIG_ERROR_PREFIX, PROGRESS_PREFIX

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(place: str, round: int) -> None:
    """Train a round, and report its meta-steps on standard output.

    Args:
        place: Folder or address of the run.
        round: Number of the round to train.
    """
    end_with_parent()
    from metamapping.runs.round_training import train_stage
    from metamapping.training.replicas import strategy_of

    strategy_of("multi-worker")
    train_stage(
        RunFolder.at(place),
        round,
        on_step=lambda step, loss: print(f"{PROGRESS_PREFIX}{step} {loss}", flush=True),
        in_cluster=True,
    )


def end_with_parent() -> None:
    """End this process when its parent dies, which holds this process's standard input open until then."""
    if sys.platform == "linux":
        # TensorFlow keeps Python's threads from running while it waits for the other workers.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except ConfigError as error:
        print(f"{CONFIG_ERROR_PREFIX}{one_line(error)}", flush=True)
        sys.exit(2)
