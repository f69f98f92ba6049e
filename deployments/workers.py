"""Workers as local processes, one per pool: ``make worker``, or ``make worker POOLS=cpu``.

A machine without a GPU may serve the pool `gpu` too; training then runs on its CPU. ``--type`` is the type
of the pools (deployments/work_pools.py). The server is the one in PREFECT_API_URL.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from deployments.processes import interrupt_on_sigterm, read_env_file, start, stop, wait_for_exit
from deployments.work_pools import TYPES


def main(pools: list[str], pool_type: str) -> None:
    """Serve the pools until Ctrl-C or SIGTERM.

    Args:
        pools: Names of the pools.
        pool_type: Type of all these pools, one of ``TYPES``.
    """
    env = {**read_env_file(Path(__file__).parent / "worker.env"), **os.environ}
    # The command of the process pools is `python`, which must be this interpreter.
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    interrupt_on_sigterm()
    workers = {pool: start(worker_command(pool, pool_type), env) for pool in pools}
    try:
        with suppress(KeyboardInterrupt):
            wait_for_exit(workers)
    finally:
        stop(*workers.values())


def worker_command(pool: str, pool_type: str) -> list[str]:
    """The command of one pool's worker, which is named after the pool and this machine.

    Args:
        pool: Name of the work pool.
        pool_type: Type of the work pool: `process`, `docker` or `kubernetes`.
    """
    name = f"{pool}-{socket.gethostname()}"
    options = {"--pool": pool, "--type": pool_type, "--name": name}
    start_worker = [sys.executable, "-m", "prefect", "worker", "start"]
    return [*start_worker, *(word for option in options.items() for word in option)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deployments.workers", description=__doc__)
    parser.add_argument("pools", nargs="+", metavar="POOL", help="cpu, gpu or both")
    parser.add_argument("--type", default="process", choices=TYPES, help="type of the pools")
    options = parser.parse_args()
    main(options.pools, options.type)
