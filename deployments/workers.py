"""Workers as local processes, one a pool: ``make worker``, or ``make worker POOLS=cpu``.

A machine without a GPU may serve the pool `gpu` too: training then runs on its CPU.
The server is the one that PREFECT_API_URL names.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from deployments.processes import end_at_sigterm, read_env_file, start, stop, wait_for_end


def main(pools: list[str]) -> None:
    """Serve the pools until Ctrl-C or SIGTERM."""
    env = {**read_env_file(Path(__file__).parent / "worker.env"), **os.environ}
    end_at_sigterm()
    workers = {pool: start(worker_command(pool), env) for pool in pools}
    try:
        with suppress(KeyboardInterrupt):
            wait_for_end(workers)
    finally:
        stop(*workers.values())


def worker_command(pool: str) -> list[str]:
    """The worker of one pool, named after pool and machine, so that the UI tells them apart."""
    name = f"{pool}-{socket.gethostname()}"
    return [
        sys.executable,
        "-m",
        "prefect",
        "worker",
        "start",
        "--pool",
        pool,
        "--type",
        "process",
        "--name",
        name,
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deployments.workers", description=__doc__)
    parser.add_argument("pools", nargs="+", metavar="POOL", help="cpu, gpu or both")
    main(parser.parse_args().pools)
