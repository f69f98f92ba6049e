"""A candidate on a Prefect server: refused by a person, refused by the rules, never answered.

One that is approved, and a rollback, are in `test_nights.py`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.processes import stop
from metamapping.runs.registry import Registry
from tests.e2e.night import NAME
from tests.e2e.prefect_server import FINAL, ROOT, wait_for
from tests.runs.test_comparison import make_run
from tests.runs.test_registry import make_published

pytestmark = pytest.mark.slow

SECONDS = 900


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a small server, and a process that executes the runs of `tests/e2e/night.py`."""
    folder = tmp_path_factory.mktemp("prefect")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    env = {
        **os.environ,
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(ROOT),
    }
    processes = []

    def begin(*module: str) -> None:
        log = (folder / f"{module[0]}.log").open("wb")
        command = [sys.executable, "-m", *module]
        processes.append(subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log))

    with httpx.Client(base_url=url, timeout=60) as client:
        try:
            begin("prefect", "server", "start", "--port", str(port))
            wait_for(lambda: answers(client, "/ready"), SECONDS, "the server")
            begin("tests.e2e.night")
            for name in (NAME, "check-candidate", "expire-approval"):
                wait_for(lambda name=name: answers(client, f"/deployments/name/{name}/{name}"), SECONDS, name)
            yield client
        finally:
            for process in reversed(processes):
                stop(process)


def answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).is_success
    except httpx.HTTPError:
        return False


def start(api: httpx.Client, home: Path, *, gain: float = 0.05, hours: float = 24.0) -> str:
    """Start the end of a night: a candidate that is better or worse than production; returns the run's id."""
    make_run(home, "old", test=True)
    make_published(home, "old", "new").promote("old", why="the first", by="ann")
    make_run(home, "new", gain=gain, test=True, promotion={"mode": "approval", "approval_hours": hours})
    (home / "runs" / "new" / "published" / "README.md").write_text("# The candidate\n")
    return start_deployment(api, NAME, str(home), home=str(home), run_id="new")


def start_deployment(api: httpx.Client, name: str, key: str, **parameters: str) -> str:
    """Start a run of a deployment, once for each key; returns the run's id."""
    deployment = api.get(f"/deployments/name/{name}/{name}").json()["id"]
    started: dict[str, Any] = {}

    def is_started() -> bool:  # a small server on SQLite is busy at times
        answer = api.post(
            f"/deployments/{deployment}/create_flow_run",
            json={"parameters": parameters, "idempotency_key": f"{name} {key}"},
        )
        started.update(answer.json() if answer.is_success else {})
        return answer.is_success

    wait_for(is_started, SECONDS, "the start of the run")
    return str(started["id"])


def state_of(api: httpx.Client, run: str) -> dict[str, Any]:
    answer = api.get(f"/flow_runs/{run}")
    return answer.json()["state"] if answer.is_success else {"type": "UNKNOWN"}


def await_end(api: httpx.Client, run: str) -> dict[str, Any]:
    wait_for(lambda: state_of(api, run)["type"] in FINAL, SECONDS, f"the end of {run}")
    return state_of(api, run)


def await_form(api: httpx.Client, run: str) -> None:
    """Wait until a run has left its process and asks."""

    def asks() -> bool:
        state = state_of(api, run)
        assert state["type"] not in FINAL, state
        return state["type"] == "PAUSED" and "waits for approval" in (state["message"] or "")

    wait_for(asks, SECONDS, f"{run} to ask")


def answer(api: httpx.Client, run: str, **form: str) -> str:
    """Submit the form of a run, as the button Resume does; returns what the server says."""
    return str(api.post(f"/flow_runs/{run}/resume", json={"run_input": form}).json()["status"])


def test_a_person_refuses_in_the_form(api: httpx.Client, tmp_path: Path) -> None:
    run = start(api, tmp_path)
    await_form(api, run)
    assert answer(api, run, decision="perhaps", by="bob") == "REJECT"
    assert answer(api, run, decision="refuse", by="bob", reason="I looked at it") == "ACCEPT"
    ended = await_end(api, run)
    assert (ended["type"], ended["name"]) == ("COMPLETED", "Refused"), ended
    assert "by bob: I looked at it" in ended["message"]
    last = Registry(tmp_path).history()[-1]
    assert (last.production, last.by, last.why) == ("old", "bob", "I looked at it")
    assert last.candidate is None


def test_a_worse_candidate_is_refused_by_the_rules_without_asking(api: httpx.Client, tmp_path: Path) -> None:
    ended = await_end(api, start(api, tmp_path, gain=-0.05))
    assert (ended["type"], ended["name"]) == ("COMPLETED", "NotPromoted"), ended
    assert "Clearly worse than production: " in ended["message"]
    assert Registry(tmp_path).aliases == {"production": "old"}


def test_without_an_answer_the_run_ends_and_production_stays(api: httpx.Client, tmp_path: Path) -> None:
    ended = await_end(api, start(api, tmp_path, hours=0.01))
    assert (ended["type"], ended["name"]) == ("COMPLETED", "Unanswered"), ended
    last = Registry(tmp_path).history()[-1]
    assert (last.action, last.production) == ("expire", "old")
