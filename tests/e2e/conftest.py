"""Fixtures of the end-to-end tests: one server with its workers and a browser, and one finished run.

A Prefect server with PostgreSQL and Redis, its workers and a browser run as `make server`, `make worker` and
`make deploy` start them, on ports of their own. If a program is missing, the tests are skipped with its name.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deployments.local_server import HOST, postgres_program
from tests.e2e.command import SECRETS, finish, secret, start
from tests.e2e.prefect_server import EMPTY_PAGE, PASSWORD, PrefectServer, wait_for

CHROMIUM = "/usr/bin/chromium"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The home of an undisturbed run of the command, and the output of the command.

    The home also contains Prefect's home. All ``SECRETS`` were set in the environment (``test_secrets.py``).
    """
    home = tmp_path_factory.mktemp("finished")
    return home, finish(start(home, **{name: secret(name) for name in SECRETS}))


@pytest.fixture(scope="session")
def workplace() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can access, unlike the temporary folders of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="metamapping-e2e-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def messages() -> Iterator[list[str]]:
    """The messages that the notification automations have sent to a local webhook."""
    told: list[str] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    webhook = ThreadingHTTPServer((HOST, 0), Webhook)
    threading.Thread(target=webhook.serve_forever, daemon=True).start()
    told_url = f"http://{HOST}:{webhook.server_port}/"
    os.environ["METAMAPPING_NOTIFY_URL"] = told_url
    yield told
    del os.environ["METAMAPPING_NOTIFY_URL"]
    webhook.shutdown()


@pytest.fixture(scope="session")
def server(workplace: Path, messages: list[str]) -> Iterator[PrefectServer]:
    """The server with all deployments registered and a worker for each pool."""
    try:
        postgres_program("postgres")
    except SystemExit:
        pytest.skip("missing: PostgreSQL")
    if shutil.which("redis-server") is None:
        pytest.skip("missing: redis-server")
    port = free_ports()
    env = {
        **os.environ,
        "PREFECT_HOME": str(workplace / "prefect"),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_API_AUTH_STRING": PASSWORD,
        "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
        # The scheduler, which applies schedules created through the API, runs every minute by default.
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
        "METAMAPPING_HOME": str(workplace / "undisturbed"),
    }
    server = PrefectServer(port, workplace, env)
    try:
        server.start(["deployments.local_server", "--home", str(workplace / "server"), "--port", str(port)])
        server.start(["deployments.workers", "cpu"])  # waits for the server, and is there before deploy
        server.wait_until_ready()
        deploy = [sys.executable, "-m", "deployments.deploy", "tests/e2e/tiny.yaml"]
        subprocess.run(deploy, env=env, cwd=ROOT, check=True, capture_output=True)
        server.gpu_worker = server.start(["deployments.workers", "gpu"])
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def scheduled(server: PrefectServer) -> dict[str, Any]:
    """A run that is scheduled to start in half a minute."""
    deployment = server.deployment("meta-pretraining")
    soon = datetime.now(UTC) + timedelta(seconds=30)
    every_day = {"interval": 86_400, "anchor_date": soon.isoformat(), "timezone": "UTC"}
    schedule = {"schedule": every_day, "active": True, "max_scheduled_runs": 1}
    path = f"/deployments/{deployment['id']}/schedules"
    server.http.post(path, json=[schedule]).raise_for_status()
    before = {"before_": (soon + timedelta(hours=1)).isoformat()}
    mine = {"deployment_id": {"any_": [deployment["id"]]}, "expected_start_time": before}

    def found() -> list[dict[str, Any]]:
        return [run for run in server.post("/flow_runs/filter", {"flow_runs": mine}) if run["auto_scheduled"]]

    wait_for(lambda: bool(found()), 120, f"a run scheduled for {soon}")
    (run,) = found()
    return run


@pytest.fixture(scope="session")
def undisturbed(server: PrefectServer, scheduled: dict[str, Any]) -> dict[str, Any]:
    """The scheduled run after it has ended."""
    return server.wait_for_state(scheduled["id"], "COMPLETED", "FAILED", "CRASHED", seconds=900)


@pytest.fixture
def page(logged_in: Any) -> Iterator[Any]:
    """A logged-in page of headless Chromium, left empty after the test."""
    yield logged_in
    logged_in.goto(EMPTY_PAGE)


@pytest.fixture(scope="session")
def logged_in(server: PrefectServer, browser: Any) -> Any:
    """The page of the Prefect server that all tests share."""
    page = browser.new_page(viewport={"width": 1300, "height": 850}, color_scheme="light")
    page.set_default_timeout(60_000)
    page.goto(server.url)
    page.get_by_placeholder("admin:pass").fill(PASSWORD)
    page.get_by_role("button", name="Login").click()
    page.wait_for_url("**/dashboard**")
    return page


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium. Playwright runs once in a process, so that all tests share it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="missing: playwright")
    if not Path(CHROMIUM).is_file():
        pytest.skip(f"missing: {CHROMIUM}")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    quiet += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        browser.close()


def free_ports() -> int:
    """The first of three free ports in a row."""
    for port in range(14200, 15200, 10):
        if all(is_free(each) for each in range(port, port + 3)):
            return port
    raise RuntimeError("no three free ports in a row between 14200 and 15200")


def is_free(port: int) -> bool:
    """Whether no process listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0
