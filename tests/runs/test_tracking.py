"""Tracking on an MLflow server: when it is on, and what happens when there is no server."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from metamapping.config.schema import RunConfig
from metamapping.config.tracking import TrackingSpec
from metamapping.errors import ConfigError
from metamapping.runs import tracking
from metamapping.runs.folder import run_id
from metamapping.runs.tracking import Target, TrackedRegistry, check_tracking, target_of, track_run
from tests.runs.test_comparison import make_run
from tests.runs.test_outcome import finished_run

NOWHERE = "http://127.0.0.1:1"  # no service listens on port 1


@pytest.fixture(autouse=True)
def no_server_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(tracking.VARIABLE, raising=False)


def config_of(home: Path, **spec: str) -> RunConfig:
    return make_run(home, "toy", tracking=spec).config


def without_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mlflow" else find(name))


def test_without_a_server_nothing_is_tracked_and_mlflow_is_not_imported(tmp_path: Path) -> None:
    finished_run(tmp_path, 0.8)
    program = (
        "import sys; from metamapping.runs.folder import RunFolder; "
        "from metamapping.runs.tracking import *; "
        f"home = {str(tmp_path)!r}; run = RunFolder(home, 'toy-1'); "
        "assert check_tracking(run.config) == []; assert track_run(run) is None; "
        "TrackedRegistry(home).promote('toy-1', why='better', by='ann'); "
        "sys.exit('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_configuration_comes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tracking.VARIABLE, "http://of-the-environment:5000/")
    assert target_of(config_of(tmp_path)) == Target("http://of-the-environment:5000", "toy", "toy")
    chosen = config_of(tmp_path, uri="https://chosen/", experiment="support", model="intents")
    assert target_of(chosen) == Target("https://chosen", "support", "intents")


def test_where_a_run_is_shown_does_not_change_its_id(tmp_path: Path) -> None:
    assert run_id(config_of(tmp_path, uri=NOWHERE), ["x"]) == run_id(config_of(tmp_path), ["x"])


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("http://ann:secret@mlflow:5000", "holds credentials or options"),
        ("http://mlflow:5000?token=secret", "holds credentials or options"),
        ("sqlite:///mlflow.db", "is not the address of an MLflow server: expected one such as http"),
        ("mlruns", "is not the address of an MLflow server"),
        ("http://", "is not the address of an MLflow server"),
    ],
)
def test_what_is_no_address_of_a_server_is_rejected(
    uri: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        TrackingSpec(uri=uri)
    assert "secret@" not in str(raised.value).partition("[type=")[0]
    monkeypatch.setenv(tracking.VARIABLE, uri)
    with pytest.raises(ConfigError, match=f"{tracking.VARIABLE}: .*{message}") as in_environment:
        target_of(config_of(tmp_path))
    assert "secret" not in str(in_environment.value)


def test_a_missing_package_stops_a_run_only_if_its_configuration_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_mlflow(monkeypatch)
    with pytest.raises(ConfigError, match=r"needs the extra `mlflow`.*metamapping\[mlflow\]"):
        check_tracking(config_of(tmp_path, uri=NOWHERE))
    monkeypatch.setenv(tracking.VARIABLE, NOWHERE)
    (sentence,) = check_tracking(config_of(tmp_path))
    assert sentence.startswith(f"{tracking.VARIABLE} is set, but MLflow is not installed")
    assert track_run(finished_run(tmp_path, 0.8)) is None


def test_a_server_that_cannot_be_reached_costs_a_run_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("mlflow", reason="missing: mlflow-skinny")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv(tracking.VARIABLE, NOWHERE)
    run = finished_run(tmp_path, 0.8)
    (sentence,) = check_tracking(run.config)
    assert sentence.startswith(
        f"the MLflow server at {NOWHERE} has not got everything: it cannot be reached."
    )
    with caplog.at_level(logging.WARNING, logger="metamapping"):
        assert track_run(run) == sentence
        entry = TrackedRegistry(tmp_path).promote("toy-1", why="better", by="ann")
    assert entry.production == "toy-1"
    assert [record.getMessage() for record in caplog.records] == [sentence, sentence]
