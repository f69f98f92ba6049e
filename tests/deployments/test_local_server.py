"""The processes and containers of a server: their passwords, their environment, and how they end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deployments.local_server import redis_command, server_env

ROOT = Path(__file__).parents[2]


def test_the_server_sends_no_telemetry() -> None:
    env = server_env(4200, "password", "another")
    assert env["DO_NOT_TRACK"] == "1"
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


def test_docker_compose_accepts_the_file() -> None:
    command = compose_command()
    env = {"PATH": os.environ["PATH"], "POSTGRES_PASSWORD": "a", "REDIS_PASSWORD": "b", "PREFECT_AUTH": "u:p"}
    shown = subprocess.run(
        [*command, "--profile", "gpu", "config"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    services = yaml.safe_load(shown.stdout)["services"]
    assert set(services) == {
        "postgres", "redis", "migrate", "api", "services", "deploy", "worker-cpu", "worker-gpu"
    }  # fmt: skip
    assert [name for name, service in services.items() if "ports" in service] == ["api"]
    assert "127.0.0.1" in str(services["api"]["ports"])


def test_docker_compose_requires_the_passwords() -> None:
    env = {"PATH": os.environ["PATH"]}
    shown = subprocess.run([*compose_command(), "config"], cwd=ROOT, env=env, capture_output=True, text=True)
    assert shown.returncode != 0
    assert "set it in .env" in shown.stderr


def compose_command() -> list[str]:
    plugin = shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True)
    if plugin and plugin.returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("missing: docker compose")


def test_no_password_is_on_a_command_line(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("missing: redis-server")
    command = redis_command(tmp_path, 14202, "hunter2")
    assert "hunter2" not in " ".join(command)
    settings = Path(command[-1])
    assert "requirepass hunter2" in settings.read_text()
    assert settings.stat().st_mode & 0o077 == 0


SAYS_WHETHER_SIGINT_ENDS_IT = (
    "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
)
STARTS_IT = "import os, sys; from deployments.processes import interrupt_on_sigterm, start; "
STARTS_IT += "interrupt_on_sigterm(); "
STARTS_IT += "start([sys.executable, '-c', sys.argv[1]], os.environ).wait()"


def test_a_process_started_from_a_background_script_still_ends_by_sigint():
    background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # as `make worker &` in a script does
    command = [*background, sys.executable, "-c", STARTS_IT, SAYS_WHETHER_SIGINT_ENDS_IT]
    started = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert started.stdout == "True\n"
