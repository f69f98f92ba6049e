"""A run with secrets in its environment does not write any of them to its output or its files."""

import subprocess
import sys

import pytest

from tests.e2e.command import ROOT, SECRETS, secret

pytestmark = pytest.mark.slow


def places_of(secret, home):
    return [str(path) for path in home.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_the_finished_run_has_all_outputs_that_are_searched(finished_run):
    home, output = finished_run
    assert "Published:" in output
    assert places_of(b"meta-pretraining", home)  # such as Prefect's database
    assert list(home.rglob("published/manifest.json"))
    assert list(home.rglob("events.out.*"))


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_in_logs_artifacts_or_folders(finished_run, name):
    home, output = finished_run
    assert secret(name) not in output
    assert places_of(secret(name).encode(), home) == []


def test_a_failing_deployment_does_not_print_the_password(monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, secret(name))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    command = [sys.executable, "-m", "deployments.deploy", "tests/e2e/tiny.yaml"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ended.returncode != 0
    assert "hunter2" not in ended.stdout + ended.stderr
