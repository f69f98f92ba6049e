"""Workers as local processes, one a pool: ``make worker``, or ``make worker POOLS=cpu``.

A machine without a GPU may serve the pool `gpu` too: training then runs on its CPU. Where the pools are
of another type than `process`, ``--type`` says which (deployments/work_pools.py).
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
from deployments.work_pools import TYPES


def main(pools: list[str], pool_type: str) -> None:
    """Serve the pools until Ctrl-C or SIGTERM."""
    env = {**read_env_file(Path(__file__).parent / "worker.env"), **os.environ}
    # The pools' command is `python`: this one.
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    end_at_sigterm()
    workers = {pool: start(worker_command(pool, pool_type), env) for pool in pools}
    try:
        with suppress(KeyboardInterrupt):
            wait_for_end(workers)
    finally:
        stop(*workers.values())


def worker_command(pool: str, pool_type: str) -> list[str]:
    """The worker of one pool, named after pool and machine, so that the UI tells them apart."""
    name = f"{pool}-{socket.gethostname()}"
    options = {"--pool": pool, "--type": pool_type, "--name": name}
    start_worker = [sys.executable, "-m", "prefect", "worker", "start"]
    return [*start_worker, *(word for option in options.items() for word in option)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deployments.workers", description=__doc__)
    parser.add_argument("pools", nargs="+", metavar="POOL", help="cpu, gpu or both")
    parser.add_argument("--type", default="process", choices=TYPES, help="of the pools")
    options = parser.parse_args()
    main(options.pools, options.type)
