"""Workers as local processes, one per pool: ``make worker``, or ``make worker POOLS=cpu``.

A machine without a GPU may serve the pool `gpu` too; training then runs on its CPU. Where this command serves
both pools with processes, the process that has trained a round evaluates it as well, which saves a start of
TensorFlow; METAMAPPING_EVALUATE_AFTER_TRAINING=0 turns that off. ``--type`` is the type
of the pools (deployments/work_pools.py). The server is the one in PREFECT_API_URL. Pools that do not exist
are created.

Ctrl-C and SIGTERM end the workers within seconds. Their runs are ended as well and wait for the next worker,
which resumes them where they were: `AwaitingRetry` on their pages, and no alarm.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import httpx
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import AwaitingRetry, Cancelled

from deployments.connection import connect
from deployments.processes import interrupt_on_sigterm, read_env_file, start, stop, wait_for_exit
from deployments.run_processes import descendants, run_of
from deployments.work_pools import LIMITS, TYPES, ensure_pools

STOP_SECONDS = 10.0
# Started together with the server, such as by a script, workers wait until it has prepared its database.
SERVER_STARTS_SECONDS = 300.0
# The flow `train-round` reads it.
EVALUATE_AFTER_TRAINING = "METAMAPPING_EVALUATE_AFTER_TRAINING"
STOPPED = "Its worker was stopped. The next worker of the pool resumes this run where it was."


def main(pools: list[str], pool_type: str) -> None:
    """Serve the pools until Ctrl-C or SIGTERM.

    Args:
        pools: Names of the pools.
        pool_type: Type of all these pools, one of ``TYPES``.

    Raises:
        SystemExit: The server does not answer, a pool has another type, or a worker has ended by itself.
    """
    env = {**read_env_file(Path(__file__).parent / "worker.env"), **defaults(pools, pool_type), **os.environ}
    # The command of the process pools is `python`, which must be this interpreter.
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', os.defpath)}"
    interrupt_on_sigterm()
    with suppress(KeyboardInterrupt):
        with connect(SERVER_STARTS_SECONDS) as client:
            ensure_pools(client, pool_type, [name for name in pools if name in LIMITS])
        workers = {pool: start(worker_command(pool, pool_type), env) for pool in pools}
        try:
            wait_for_exit(workers)
        finally:
            release_runs(workers)
            stop(*workers.values(), seconds=STOP_SECONDS)


def defaults(pools: Collection[str], pool_type: str) -> dict[str, str]:
    """Variables of the workers that depend on which pools they serve; the environment may set others.

    Args:
        pools: Names of the pools that this machine serves.
        pool_type: Type of these pools.
    """
    # Both stages then see the same devices, so that scores do not depend on which process measures them.
    is_one_machine = pool_type == "process" and {"cpu", "gpu"} <= set(pools)
    return {EVALUATE_AFTER_TRAINING: "1"} if is_one_machine else {}


def release_runs(workers: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """End the runs of the workers' process pools, and let them wait for the next worker.

    The worker of such a run is killed first: otherwise it would report that its run has crashed. Runs in
    containers and Kubernetes jobs do not depend on their worker, and continue.

    Args:
        workers: The workers by pool.
    """
    found: dict[UUID, int] = {}
    for worker in workers.values():
        below = descendants(worker.pid)
        runs = {run_id: pid for pid in below if (run_id := run_of(pid)) is not None}
        if runs:
            worker.kill()
            worker.wait()
            for pid in [*runs.values(), *below]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        found |= runs
    if not found:
        return
    try:
        # The server may be stopping as well: do not wait for it longer than a moment.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
            for run_id in found:
                with suppress(ObjectNotFound):
                    _release(client, run_id)
    except httpx.HTTPError as error:
        print(
            f"the server did not answer ({type(error).__name__}): it will find {len(found)} runs crashed for "
            "missed heartbeats; press Retry on them",
            file=sys.stderr,
        )


def _release(client: SyncPrefectClient, run_id: UUID) -> None:
    run = client.read_flow_run(run_id)
    if run.state is None or run.state.is_final() or run.state.is_paused():
        return
    if run.state.is_cancelling():
        client.set_flow_run_state(run_id, Cancelled(), force=True)
        return
    client.set_flow_run_state(run_id, AwaitingRetry(message=STOPPED), force=True)
    print(f"waits for the next worker: {run.name}", flush=True)


def worker_command(pool: str, pool_type: str) -> list[str]:
    """The command of one pool's worker, which is named after the pool and this machine.

    Args:
        pool: Name of the work pool.
        pool_type: Type of the work pool: `process`, `docker` or `kubernetes`.
    """
    name = f"{pool}-{socket.gethostname()}"
    options = {"--pool": pool, "--type": pool_type, "--name": name}
    start_worker = [sys.executable, "-m", "prefect", "worker", "start"]
    if pool in LIMITS:
        start_worker.append("--no-create-pool-if-not-found")  # created by ``ensure_pools``, with its limits
    return [*start_worker, *(word for option in options.items() for word in option)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m deployments.workers", description=__doc__)
    parser.add_argument("pools", nargs="+", metavar="POOL", help="cpu, gpu or both")
    parser.add_argument("--type", default="process", choices=TYPES, help="type of the pools")
    options = parser.parse_args()
    main(options.pools, options.type)
