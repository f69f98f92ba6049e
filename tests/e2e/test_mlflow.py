"""Runs, their scores and their aliases on a real MLflow server, read back through its REST API."""

from __future__ import annotations

import importlib.metadata
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
from metamapping.runs import tracking
from metamapping.runs.folder import RunFolder
from metamapping.runs.tracking import TrackedRegistry, track_aliases, track_run
from tests.e2e.prefect_server import wait_for
from tests.runs.test_comparison import make_run
from tests.runs.test_registry import make_published

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:1"
SECONDS = 600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a local MLflow server."""
    pytest.importorskip("mlflow", reason="missing: mlflow-skinny")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # half a dozen processes that runs do not need
    }
    command = [server_python(), "-m", "mlflow", "server", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    uri = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        try:
            return httpx.get(f"{uri}/health", timeout=20).is_success
        except httpx.HTTPError:
            return False

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
    try:
        wait_for(is_ready, SECONDS, "the MLflow server")
        yield uri
    finally:
        stop(process)


def server_python() -> str:
    """The Python that has the server: that of `make mlflow`, or this one."""
    own = Path(sys.prefix) / "mlflow/bin/python"
    if own.is_file():
        return str(own)
    try:
        importlib.metadata.distribution("mlflow")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("missing: an MLflow server (make mlflow)")
    return sys.executable


def publish_toy(home: Path, name: str, gain: float, uri: str) -> RunFolder:
    """A run with a judged round, test scores and a published folder."""
    spec = {"uri": uri, "experiment": "toys", "model": "toys"}
    run = make_run(home, name, gain=gain, test=True, tracking=spec)
    run.write_result("test-0", run.read_result("test-1") or {})
    make_published(home, name)
    (run.published / "README.md").write_text(f"# The model card of {name}\n")
    return run


def runs_on(uri: str) -> dict[str, dict[str, Any]]:
    """The runs of the experiment, by their ids in this project."""
    found = httpx.get(
        f"{uri}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": "toys"}, timeout=60
    )
    body = {"experiment_ids": [found.raise_for_status().json()["experiment"]["experiment_id"]]}
    answer = httpx.post(f"{uri}/api/2.0/mlflow/runs/search", json=body, timeout=60).raise_for_status()
    return {as_dict(run["data"]["tags"])["metamapping.run_id"]: run for run in answer.json()["runs"]}


def as_dict(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in pairs}


def aliases_on(uri: str) -> dict[str, str]:
    """The aliases of the registered model: the ids of their runs in this project."""
    path = f"{uri}/api/2.0/mlflow/registered-models"
    model = httpx.get(f"{path}/get", params={"name": "toys"}, timeout=60).raise_for_status().json()
    found = {}
    for each in model["registered_model"].get("aliases", []):
        wanted = {"name": "toys", "alias": each["alias"]}
        version = httpx.get(f"{path}/alias", params=wanted, timeout=60).raise_for_status().json()
        found[each["alias"]] = as_dict(version["model_version"]["tags"])["metamapping.run_id"]
    return found


def test_a_server_shows_runs_and_its_aliases_follow_the_registry(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(tracking.VARIABLE, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    old, new = (publish_toy(home, name, gain, server) for name, gain in (("old", 0.0), ("new", 0.05)))
    for run in (old, new, new):  # the second time nothing is left to be sent
        assert track_run(run) is None
    shown = runs_on(server)
    assert set(shown) == {"old", "new"}
    info, data = shown["new"]["info"], shown["new"]["data"]
    assert info["status"] == "FINISHED"
    params, metrics, tags = (as_dict(data[kind]) for kind in ("params", "metrics", "tags"))
    assert params["training.meta_steps"] == str(new.config.training.meta_steps)
    assert params["fingerprint.tokenizer"] == "same"
    assert params["sources.hotel"] == "text-classification, validation"
    assert metrics["validation_mean"] == pytest.approx(0.65, abs=0.02)
    assert {"validation.hotel", "validation.bank", "test.shop", "loss", "gain"} <= set(metrics)
    assert tags["mlflow.note.content"] == "# The model card of new\n"
    wanted = {"run_id": info["run_id"], "metric_key": "validation_mean"}
    history = httpx.get(f"{server}/api/2.0/mlflow/metrics/get-history", params=wanted, timeout=60).json()
    assert sorted(int(each["step"]) for each in history["metrics"]) == [0, 1]
    files = httpx.get(
        f"{server}/api/2.0/mlflow/artifacts/list",
        params={"run_id": info["run_id"], "path": "pictures"},
        timeout=60,
    ).json()["files"]
    assert [each["path"] for each in files] == ["pictures/learning-curve.png"]

    registry = TrackedRegistry(home)
    registry.promote("old", why="the first", by="ann")
    registry.propose("new", why="it has published", by="ann")
    assert aliases_on(server) == {"production": "old", "candidate": "new"}
    registry.promote("new", why="better", by="ann")
    assert aliases_on(server) == {"production": "new"}
    registry.rollback(why="complaints", by="bob")
    assert aliases_on(server) == {"production": "old"}

    from mlflow.artifacts import download_artifacts

    monkeypatch.setenv(tracking.VARIABLE, server)
    place = download_artifacts("models:/toys@production", dst_path=str(tmp_path))
    assert (Path(place) / "README.md").read_text() == "# The model card of old\n"


def test_what_a_server_has_missed_is_sent_afterwards(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = publish_toy(tmp_path, "late", 0.05, NOWHERE)
    assert "cannot be reached" in str(track_run(run))
    TrackedRegistry(tmp_path).promote("late", why="better", by="ann")
    back = publish_toy(tmp_path, "late", 0.05, server)  # the same run, opened with the right address
    assert track_aliases(tmp_path) is None
    assert aliases_on(server)["production"] == "late"
    assert runs_on(server)[back.run_id]["info"]["status"] == "FINISHED"
