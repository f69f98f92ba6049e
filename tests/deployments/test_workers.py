"""Workers that are stopped end their runs and let them wait for the next worker; no server is started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.states import Cancelling, Completed, Pending, Running, Suspended

from deployments import workers
from deployments.run_processes import PROC, descendants, run_of
from deployments.workers import STOPPED, defaults, release_runs, worker_command
from flows.train_round import EVALUATE_AFTER_TRAINING

needs_proc = pytest.mark.skipif(not PROC.is_dir(), reason="missing: /proc")
SLEEPS = "import time; print(flush=True); time.sleep(600)"
# A worker whose child is a run, which has a child of its own.
WORKER = f"""
import os, subprocess, sys, time
run = [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPS!r}])"]
subprocess.Popen(run, env={{**os.environ, "PREFECT__FLOW_RUN_ID": sys.argv[1]}})
time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def started() -> Any:
    """A worker with a run: the worker, the ids of all processes below it, and the id of the run."""
    run_id = uuid4()
    command = [sys.executable, "-c", WORKER, str(run_id)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    worker.stdout.readline()  # written by the process of the run's own child
    below = descendants(worker.pid)
    yield SimpleNamespace(worker=worker, below=below, run_id=run_id)
    for pid in [worker.pid, *below]:
        if is_alive(pid):
            os.kill(pid, 9)
    worker.wait()
    worker.stdout.close()


class Client:
    """A client of a server that knows one run; sets its state."""

    def __init__(self, state: Any) -> None:
        self.state = state
        self.states: list[tuple[UUID, str, str]] = []

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_flow_run(self, run_id: UUID) -> Any:
        return SimpleNamespace(id=run_id, name="train", state=self.state)

    def set_flow_run_state(self, run_id: UUID, state: Any, force: bool) -> None:
        assert force
        self.states.append((run_id, state.name, state.message))


@needs_proc
@pytest.mark.parametrize("state", [Running(), Pending()])
def test_the_runs_of_a_stopped_worker_end_and_wait_for_the_next_one(
    started: Any, state: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(started.below) == 2
    assert {run_of(pid) for pid in started.below} == {started.run_id}
    client = Client(state)
    monkeypatch.setattr(workers, "get_client", lambda **_: client)
    release_runs({"gpu": started.worker})
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in started.below):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert started.worker.returncode == -9  # it cannot report the run as crashed
    assert client.states == [(started.run_id, "AwaitingRetry", STOPPED)]


@needs_proc
@pytest.mark.parametrize(
    ("state", "becomes"), [(Cancelling(), ["Cancelled"]), (Completed(), []), (Suspended(), [])]
)
def test_a_stopped_worker_changes_no_run_that_should_not_continue(
    started: Any, state: Any, becomes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(state)
    monkeypatch.setattr(workers, "get_client", lambda **_: client)
    release_runs({"gpu": started.worker})
    assert [name for _, name, _ in client.states] == becomes


@needs_proc
def test_a_server_that_is_down_does_not_keep_a_worker_from_ending(
    started: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(run_id: UUID) -> None:
        raise httpx.ConnectError("refused")

    client = Client(Running())
    monkeypatch.setattr(client, "read_flow_run", refuse)
    monkeypatch.setattr(workers, "get_client", lambda **_: client)
    release_runs({"gpu": started.worker})
    assert started.worker.returncode == -9
    assert "press Retry" in capsys.readouterr().err


@needs_proc
def test_a_worker_without_runs_is_left_to_end_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = subprocess.Popen([sys.executable, "-c", SLEEPS])
    try:
        monkeypatch.setattr(workers, "get_client", lambda **_: pytest.fail("nothing to report"))
        release_runs({"cpu": worker})
        assert worker.poll() is None
    finally:
        worker.kill()
        worker.wait()


def test_a_worker_does_not_create_our_pools_with_prefects_defaults() -> None:
    assert "--no-create-pool-if-not-found" in worker_command("gpu", "process")
    assert "--no-create-pool-if-not-found" not in worker_command("a-pool-of-yours", "process")


@pytest.mark.parametrize(
    ("pools", "pool_type", "expected"),
    [
        (["cpu", "gpu"], "process", {EVALUATE_AFTER_TRAINING: "1"}),
        (["cpu"], "process", {}),
        (["gpu"], "process", {}),
        (["cpu", "gpu"], "docker", {}),
    ],
)
def test_one_machine_for_both_pools_evaluates_in_the_process_that_trains(
    pools: list[str], pool_type: str, expected: dict[str, str]
) -> None:
    assert defaults(pools, pool_type) == expected
