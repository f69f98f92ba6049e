"""A whole run with secrets in its environment: none of them is written anywhere."""

import subprocess
import sys

import pytest

from tests.e2e.command import ROOT, finish, start

pytestmark = pytest.mark.slow

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


def marker(name):
    name = name.replace("PREFECT_SERVER_API", "PREFECT_API")  # the server's and its clients' are one
    return f"hunter2:{name.lower().replace('_', '')}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The home of a run, Prefect's own among it (its database has logs, artifacts and parameters)."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in SECRETS:
            patch.setenv(name, marker(name))
        output = finish(start(home))
    return home, output


def places_of(secret, home):
    return [str(path) for path in home.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_a_run_is_looked_at_where_it_writes(run):
    home, output = run
    assert "Published:" in output
    assert places_of(b"meta-pretraining", home)  # Prefect's database is among it
    assert list(home.rglob("published/manifest.json"))
    assert list(home.rglob("events.out.*"))


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_in_logs_artifacts_or_folders(run, name):
    home, output = run
    assert marker(name) not in output
    assert places_of(marker(name).encode(), home) == []


def test_a_deployment_that_fails_does_not_say_the_password(monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, marker(name))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    command = [sys.executable, "-m", "deployments.deploy", "tests/e2e/tiny.yaml"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode != 0
    assert "hunter2" not in ended.stdout + ended.stderr
