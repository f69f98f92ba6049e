"""Worker process: one machine's part of one round, started by ``multi_worker``.

python -m metamapping.runs.worker_process RUN ROUND
"""

from __future__ import annotations

import os
import sys
import threading

from metamapping.runs.folder import RunFolder
from metamapping.runs.multi_worker import PROGRESS_PREFIX


def main(place: str, round: int) -> None:
    """Train a round, and report its meta-steps on standard output.

    Args:
        place: Folder or address of the run.
        round: Number of the round to train.
    """
    # The parent holds this process's standard input open: when the parent dies, this process ends too.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(1)), daemon=True).start()
    from metamapping.runs.round_training import train_stage
    from metamapping.training.replicas import strategy_of

    strategy_of("multi-worker")
    train_stage(
        RunFolder.at(place),
        round,
        on_step=lambda step, loss: print(f"{PROGRESS_PREFIX}{step} {loss}", flush=True),
        in_cluster=True,
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
