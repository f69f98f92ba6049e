"""A Prefect server under test, used only through its REST API."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from deployments.processes import stop

PASSWORD = "admin:of-these-tests"
ROOT = Path(__file__).parents[2]
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
POLL_SECONDS = 0.3
EMPTY_PAGE = "about:blank"  # animations on an open page of the UI would occupy a core


class PrefectServer:
    """The processes of a server, and a client of its API."""

    def __init__(self, port: int, folder: Path, env: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.folder, self.env = folder, env
        self.processes: list[subprocess.Popen[bytes]] = []
        self.gpu_worker: subprocess.Popen[bytes] | None = None
        user, _, password = PASSWORD.partition(":")
        self.http = httpx.Client(base_url=f"{self.url}/api", auth=(user, password), timeout=60)

    def start(self, module: list[str]) -> subprocess.Popen[bytes]:
        """Start one of the modules of deployments/; its output goes to a file next to the server's data."""
        log = (self.folder / f"{module[0]}-{len(self.processes)}.log").open("wb")
        command = [sys.executable, "-m", *module]
        process = subprocess.Popen(
            command, env=self.env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Stop all processes, the workers before the server."""
        servers = [process for process in self.processes if "deployments.local_server" in process.args]
        workers = [process for process in self.processes if process not in servers]
        for processes in (workers, servers):
            below = [pid for process in processes for pid in descendants(process.pid)]
            stop(*processes, seconds=90)  # they wait for their own processes for up to 60
            kill(below)

    def wait_until_ready(self) -> None:
        def is_ready() -> bool:
            try:
                return self.http.get("/ready").is_success
            except httpx.HTTPError:
                return False

        wait_for(is_ready, 240, "the server")
        client = str(uuid.uuid4())
        token = self.http.get("/csrf-token", params={"client": client}).json()["token"]
        self.http.headers.update({"Prefect-Csrf-Client": client, "Prefect-Csrf-Token": token})

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.http.post(path, json=body or {})
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def deployment(self, name: str) -> dict[str, Any]:
        return self.http.get(f"/deployments/name/{name}/{name}").raise_for_status().json()

    def start_run(self, **changes: Any) -> str:
        """Start a run of the main deployment with changes to its configuration; returns its id."""
        deployment = self.deployment("meta-pretraining")
        config = {**deployment["parameters"]["config"], **changes}
        run = self.post(
            f"/deployments/{deployment['id']}/create_flow_run", {"parameters": {"config": config}}
        )
        return run["id"]

    def start_stage(self, name: str, **parameters: Any) -> str:
        """Start a run of another deployment, as the form on its page does; returns its id."""
        path = f"/deployments/{self.deployment(name)['id']}/create_flow_run"
        return self.post(path, {"parameters": parameters})["id"]

    def artifacts(self, run_id: str) -> list[dict[str, Any]]:
        """The artifacts of a run so far, the newest last."""
        mine = {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
        return sorted(self.post("/artifacts/filter", mine), key=lambda each: each["created"])

    def logs(self, run_id: str) -> list[str]:
        """The log messages of a run so far, in order."""
        mine = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"}
        return [each["message"] for each in self.post("/logs/filter", mine)]

    def process_of(self, run_id: str) -> int:
        """The ID of the process that executes a run; raises ``ValueError`` unless there is exactly one."""
        wanted = f"PREFECT__FLOW_RUN_ID={run_id}".encode()
        workers = [pid for process in self.processes for pid in descendants(process.pid)]
        (found,) = {pid for pid in workers if is_engine(pid) and wanted in environment_of(pid)}
        return found

    def started_run(self, home: Path) -> str:
        """The ID of the run with this home, which was started elsewhere, such as in the browser."""

        def found() -> list[str]:
            mine = {"deployment_id": {"any_": [self.deployment("meta-pretraining")["id"]]}}
            runs = self.post("/flow_runs/filter", {"flow_runs": mine})
            return [run["id"] for run in runs if run["parameters"]["config"]["home"] == str(home)]

        wait_for(lambda: bool(found()), 60, f"a run with the home {home}")
        return found()[0]

    def run(self, run_id: str) -> dict[str, Any]:
        return self.http.get(f"/flow_runs/{run_id}").raise_for_status().json()

    def stages(self, parent_id: str) -> dict[str, dict[str, Any]]:
        """The newest stage run of each deployment under a parent, by the first word of its flow's name."""
        flows = {flow["id"]: flow["name"] for flow in self.post("/flows/filter")}
        return {flows[run["flow_id"]].partition("-")[0]: run for run in self.stage_runs(parent_id)}

    def stage_runs(self, parent_id: str) -> list[dict[str, Any]]:
        """All stage runs under a parent, in the order of their start."""
        runs = self.post("/flow_runs/filter", {"sort": "START_TIME_ASC"})
        links = {run["id"]: run["parent_task_run_id"] for run in runs if run["parent_task_run_id"]}
        tasks = self.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [parent_id]}}})
        mine = {task["id"] for task in tasks}
        return [run for run in runs if links.get(run["id"]) in mine]

    def stage_states(self, parent_id: str) -> dict[str, str]:
        """The state of each stage run under a parent, by its key, such as ``train round 2``."""
        return {key_of(run["name"]): run["state_type"] for run in self.stage_runs(parent_id)}

    def arrows(self, run_id: str) -> set[tuple[str, str]]:
        """The arrows on the graph of a run, from key to key."""
        nodes = dict(self.http.get(f"/flow_runs/{run_id}/graph-v2").raise_for_status().json()["nodes"])
        keys = {node: key_of(each["label"].rpartition(" / ")[2]) for node, each in nodes.items()}
        return {(keys[arrow["id"]], keys[node]) for node, each in nodes.items() for arrow in each["parents"]}

    def wait_for_state(self, run_id: str, *states: str, seconds: float = 600) -> dict[str, Any]:
        try:
            wait_for(lambda: self.run(run_id)["state_type"] in states, seconds, f"{states} of {run_id}")
        except AssertionError as error:
            raise AssertionError(f"{error}; its states were {self.history(run_id)}") from None
        return self.run(run_id)

    def history(self, run_id: str) -> list[str]:
        """The states that a run was in, the oldest first, each with its time and message."""
        states = self.http.get("/flow_run_states/", params={"flow_run_id": run_id}).raise_for_status().json()
        return [f"{each['timestamp']} {each['name']} ({each['message']})" for each in states]

    def wait_for_stage(self, parent_id: str, stage: str, *states: str) -> dict[str, Any]:
        def is_there() -> bool:
            found = self.stages(parent_id).get(stage)
            return found is not None and found["state_type"] in states

        wait_for(is_there, 400, f"{stage} to be {states}")
        return self.stages(parent_id)[stage]

    def retry(self, run_id: str) -> None:
        """Set the state that the Retry button sets."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        self.post(f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    def suspend(self, run_id: str) -> None:
        """Set the state that the Suspend button sets, with two hours until it must be resumed."""
        details = {
            "pause_timeout": (datetime.now(UTC) + timedelta(hours=2)).isoformat(),
            "pause_reschedule": True,
        }
        state = {"type": "PAUSED", "name": "Suspended", "state_details": details}
        self.post(f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})

    def resume(self, run_id: str) -> None:
        """Do what the Resume button does."""
        self.post(f"/flow_runs/{run_id}/resume")

    def cancel(self, run_id: str) -> None:
        """Set the state that the Cancel button sets."""
        state = {"type": "CANCELLING", "name": "Cancelling"}
        self.post(f"/flow_runs/{run_id}/set_state", {"state": state})

    def miss_heartbeats(self, run_id: str) -> None:
        """Set the state that the server's automation sets if it receives no heartbeats of a run."""
        state = {"type": "CRASHED", "name": "MissedHeartbeats", "message": "No heartbeat for 90 seconds."}
        self.post(f"/flow_runs/{run_id}/set_state", {"state": state, "force": True})


def key_of(name: str) -> str:
    """The key of a stage, such as ``train round 2``: its name without the run's id and what it has found."""
    return re.sub(r" [^ :]+-[0-9a-f]{16}|: .*", "", name)


def wait_for(is_done: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} seconds"
        time.sleep(POLL_SECONDS)


def descendants(pid: int) -> list[int]:
    """The IDs of all descendants of a process, from /proc."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(status.parent.name)] = int(fields[1])
    found = [pid]
    for known in found:
        found += [child for child, parent in parents.items() if parent == known]
    return found[1:]


def is_engine(pid: int) -> bool:
    """Whether a process was started to execute a run; false for its child processes."""
    try:
        return "prefect.engine" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
