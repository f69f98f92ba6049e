"""The main flow as a user starts it: a process of its own, with an embedded Prefect."""

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
# What may be secret in the environment of a run.
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
    """What the tests set a variable of ``SECRETS`` to, and look for afterwards."""
    name = name.replace("PREFECT_SERVER_API", "PREFECT_API")  # the server's and its clients' are one
    return f"hunter2:{name.lower().replace('_', '')}"


def start(
    home: Path | str, *, config: Path = CONFIG, machine: Path | None = None, **variables: str
) -> subprocess.Popen[str]:
    """Start ``python -m flows.meta_pretraining`` with its own store and its own Prefect.

    ``machine``: the folder that stands for a machine, where ``home`` is an address.
    """
    prefect_home = (machine or Path(home)) / "prefect"
    prefect_home.mkdir(parents=True, exist_ok=True)  # Prefect makes no parents
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


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end and return what it printed; fails where it failed."""
    output, _ = process.communicate(timeout=TIMEOUT_SECONDS)
    assert process.returncode == 0, output
    return output


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9, and end the embedded Prefect server that it leaves behind."""
    process.kill()
    process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def published(home: Path) -> Path:
    """The folder that the only run in ``home`` published."""
    (folder,) = (home / "runs").glob("*/published")
    return folder
