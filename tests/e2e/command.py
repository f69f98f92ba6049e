"""The main flow as a user starts it: in a process of its own, with an embedded Prefect server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("tiny.yaml")
TIMEOUT_SECONDS = 600
# Environment variables of a run that may contain secrets.
SECRETS = (
    "PREFECT_API_AUTH_STRING",
    "PREFECT_SERVER_API_AUTH_STRING",
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "HF_TOKEN",
    "METAMAPPING_NOTIFY_URL",
    "METAMAPPING_API_KEY",
    "AWS_SECRET_ACCESS_KEY",
)


def secret(name: str) -> str:
    """The value to which the tests set a variable of ``SECRETS``, and which they search for afterwards."""
    name = name.replace("PREFECT_SERVER_API", "PREFECT_API")  # server and clients share one password
    return f"hunter2:{name.lower().replace('_', '')}"


def start(
    home: Path | str, *, config: Path = CONFIG, machine: Path | None = None, **variables: str
) -> subprocess.Popen[str]:
    """Start ``python -m flows.meta_pretraining`` with its own store and its own Prefect home.

    ``machine``: a folder that simulates the disk of a machine; needed if ``home`` is an address.
    """
    prefect_home = (machine or Path(home)) / "prefect"
    prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect does not create parent folders
    environment = {**os.environ, "PREFECT_HOME": str(prefect_home), "PYTHONUNBUFFERED": "1", "COLUMNS": "120"}
    environment |= {"METAMAPPING_CACHE": str((machine or Path(home)) / "cache"), **variables}
    environment.pop("PREFECT_API_URL", None)
    return subprocess.Popen(
        [sys.executable, "-m", "flows.meta_pretraining", str(config), "--home", str(home)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], *, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """Wait for a process to end and return its output; fails if the exit code is not 0."""
    output, _ = process.communicate(timeout=timeout_seconds)
    assert process.returncode == 0, output
    return output


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process with SIGKILL, and end the embedded Prefect server that it leaves behind."""
    process.kill()
    process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def published(home: Path) -> Path:
    """The folder that the only run in ``home`` published."""
    (folder,) = (home / "runs").glob("*/published")
    return folder
