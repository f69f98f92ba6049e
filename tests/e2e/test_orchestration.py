"""The deployed pipeline as its users see it: scheduled runs, the browser, failures and their repair.

A run takes minutes here, because each stage starts a process of its own; so each test checks several
properties of one run. How often a stage was executed is read from its flow run (`run_count`).
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
import time
from typing import Any, NamedTuple

import httpx
import pytest

from deployments.workers import STOPPED
from tasks.suspension import HOLDS
from tests.e2e.pages import field, open_form, take_picture
from tests.e2e.prefect_server import PrefectServer, descendants, key_of, kill, wait_for

pytestmark = pytest.mark.slow

HEARTBEATS_MISSED_AFTER = 100  # seconds; 90 in deployments/automations.yaml
ENDED_IN_ORDER = "Flow run was cancelled."  # logged by Prefect's engine if SIGTERM raised an exception


class Suspended(NamedTuple):
    """The IDs of a suspended run and of its training, and since when both are suspended."""

    parent: str
    train: str
    since: float


@pytest.fixture(scope="module")
def suspended(server: PrefectServer) -> Suspended:
    """A main run and its training, both suspended. The tests that come in between are time that passes."""
    home = server.folder / "suspended"
    config = server.deployment("meta-pretraining")["parameters"]["config"]
    training = {**config["training"], "meta_steps": 1_000}
    parent = server.start_run(home=str(home), training=training)
    train = server.wait_for_stage(parent, "train", "RUNNING")["id"]
    wait_for(lambda: any(home.glob("runs/*/checkpoints/round-1-partial*")), 240, "a partial checkpoint")

    # A stage that is suspended ends its process between two steps; so does the main run.
    server.suspend(train)
    wait_for(lambda: server.run(train)["state"]["message"] == HOLDS, 60, "the stage to hold")
    server.suspend(parent)
    wait_for(lambda: server.run(parent)["state"]["message"] == HOLDS, 60, "the main run to hold")
    return Suspended(parent, train, time.monotonic())


def test_the_api_without_the_password_is_refused(server: PrefectServer) -> None:
    assert httpx.get(f"{server.url}/api/admin/version").status_code == 401


def test_the_pools_are_ours_although_a_worker_was_there_before_deploy(server: PrefectServer) -> None:
    pools = {pool["name"]: pool for pool in server.post("/work_pools/filter")}
    assert {name: pool["concurrency_limit"] for name, pool in pools.items()} == {"cpu": None, "gpu": 1}
    for pool in pools.values():
        variables = pool["base_job_template"]["variables"]["properties"]
        assert variables["command"]["default"] == "python -m prefect.engine"
        assert variables["env"]["default"] == {"PREFECT_CLIENT_MAX_RETRIES": "8"}


def test_the_nightly_schedule_exists_and_is_paused(server: PrefectServer) -> None:
    schedules = server.deployment("meta-pretraining")["schedules"]
    (schedule,) = [each for each in schedules if "cron" in each["schedule"]]
    assert schedule["schedule"]["cron"] == "0 2 * * *"
    assert not schedule["active"]


@pytest.mark.usefixtures("scheduled")  # starts during this test
def test_a_wrong_parameter_is_refused_by_the_form(server: PrefectServer, page: Any) -> None:
    open_form(server, page)
    field(page, "Max Rounds (Optional)").fill("0")
    page.get_by_role("button", name="Submit").click()
    page.get_by_text("0 is less than the minimum of 1").first.wait_for()
    take_picture(page, "refused")
    assert page.url.endswith("/run")


def test_a_scheduled_run_starts_by_itself_and_publishes(
    server: PrefectServer, undisturbed: dict[str, Any], messages: list[str]
) -> None:
    assert undisturbed["state_type"] == "COMPLETED", undisturbed["state"]["message"]
    stages = server.stages(undisturbed["id"])
    assert {name: run["run_count"] for name, run in stages.items()} == {
        "prepare": 1, "train": 1, "evaluate": 1, "adjust": 1, "publish": 1
    }  # fmt: skip
    wait_for(
        lambda: any(each.startswith("publish tiny-") for each in messages), 60, "the message about the model"
    )
    # The run says what came out of it: in its state, in its tags, in one artifact and in the message.
    (folder,) = (server.folder / "undisturbed/runs").iterdir()
    judged = json.loads((folder / "rounds.jsonl").read_text().splitlines()[-1])
    state = undisturbed["state"]
    assert state["name"] == ("Completed" if judged["verdict"]["best_round"] else "NoImprovement")
    assert str(folder / "published") in state["message"]
    told = next(each for each in messages if each.startswith("publish tiny-"))
    assert state["message"] in told
    assert f"run:{folder.name}" in undisturbed["tags"]
    assert undisturbed["name"].startswith("meta-pretrain tiny (")
    shown = [each for each in server.artifacts(undisturbed["id"]) if each["type"] == "markdown"]
    assert {each["key"] for each in shown} == {f"run-{folder.name}"}
    assert "## Rounds" in shown[-1]["data"]
    assert "## Test sources" in shown[-1]["data"]


def test_sources_are_selected_and_runs_compared_by_hand(
    server: PrefectServer, undisturbed: dict[str, Any]
) -> None:
    home = server.folder / "undisturbed"
    (run,) = (home / "runs").glob("tiny-*")
    shutil.copytree(run, run.with_name(f"again-{run.name}"))
    started = {
        "selection": server.start_stage("select-sources", run_id=run.name, home=str(home)),
        "comparison": server.start_stage(
            "compare-runs", first=run.name, second=f"again-{run.name}", home=str(home)
        ),
    }
    for key, run_id in started.items():
        ended = server.wait_for_state(run_id, "COMPLETED", "FAILED", "CRASHED", seconds=300)
        assert ended["state_type"] == "COMPLETED", ended["state"]["message"]
        assert any(str(each["key"]).startswith(key) for each in server.artifacts(run_id))
        assert f"run:{run.name}" in ended["tags"] or key == "comparison"
    shutil.rmtree(run.with_name(f"again-{run.name}"))


@pytest.mark.usefixtures("suspended")  # while this test waits, the heartbeats of that run are missing
def test_a_run_of_two_rounds_survives_dead_workers_a_cancel_and_its_own_crash(
    server: PrefectServer, page: Any
) -> None:
    home = server.folder / "killed"
    deployment = server.deployment("meta-pretraining")
    training = {
        **deployment["parameters"]["config"]["training"],
        "meta_steps": 1_000,
    }  # at least 15 seconds, so that it can be cancelled meanwhile
    convergence = {**deployment["parameters"]["config"]["convergence"], "min_rounds": 2, "max_rounds": 2}
    parent = server.start_run(home=str(home), training=training, convergence=convergence)
    server.wait_for_stage(parent, "train", "RUNNING")
    wait_for(lambda: any(home.glob("runs/*/checkpoints/round-1-partial*")), 240, "a partial checkpoint")

    # The worker and its run are killed together, so that no process is left to report the crash.
    assert server.gpu_worker is not None
    kill([server.gpu_worker.pid, *descendants(server.gpu_worker.pid)])
    server.gpu_worker.wait()
    server.gpu_worker = server.start(["deployments.workers", "gpu"])
    crashed = server.wait_for_stage(parent, "train", "CRASHED")
    assert crashed["state"]["name"] == "MissedHeartbeats"
    server.wait_for_state(parent, "FAILED", seconds=120)

    server.retry(crashed["id"])
    server.wait_for_state(crashed["id"], "RUNNING", seconds=120)
    saved = set(home.glob("runs/*/checkpoints/round-1-partial/*"))
    wait_for(
        lambda: bool(set(home.glob("runs/*/checkpoints/round-1-partial/*")) - saved), 120, "more steps saved"
    )
    server.cancel(crashed["id"])
    server.wait_for_state(crashed["id"], "CANCELLED", seconds=60)
    # Its process has ended by itself, including its cleanup, before its worker would have killed it.
    wait_for(lambda: ENDED_IN_ORDER in server.logs(crashed["id"]), 60, f"{ENDED_IN_ORDER!r} in the log")
    assert any(home.glob("runs/*/checkpoints/round-1-partial*"))

    # Started manually with the run's ID, the stage resumes the parent, which had failed because of it.
    parameters = server.run(crashed["id"])["parameters"]
    by_hand = server.start_stage("train-round", **parameters)
    server.wait_for_state(by_hand, "COMPLETED", seconds=900)
    shown = [each["data"] for each in server.artifacts(crashed["id"]) if each["type"] == "progress"]
    assert any(0 < percent < 100 for percent in shown), (
        shown
    )  # progress was reported although the run was killed and cancelled

    wait_for(lambda: "train round 2" in server.stage_states(parent), 600, "round 2")
    wait_for(lambda: server.stage_states(parent)["train round 2"] == "RUNNING", 300, "training of round 2")
    kill([server.process_of(parent)])
    server.wait_for_state(parent, "CRASHED", seconds=60)
    server.wait_for_state(parent, "COMPLETED", seconds=1_500)
    counts = {key_of(run["name"]): run["run_count"] for run in server.stage_runs(parent)}
    assert counts.pop("train round 1") > 1  # killed, cancelled and resumed
    rounds = ["evaluate round 1", "adjust round 1", "train round 2", "evaluate round 2", "adjust round 2"]
    assert counts == dict.fromkeys(["prepare tiny", *rounds, "publish"], 1)
    # The graph of the run is the chain of its stages, although it was crashed in between.
    chain = ["prepare tiny", "open run tiny", "train round 1", *rounds, "publish"]
    assert server.arrows(parent) == set(itertools.pairwise(chain))
    names = [run["name"] for run in server.stage_runs(parent)]
    assert all(any(re.search(f"round {n}: 0\\.[0-9]{{3}}$", name) for name in names) for n in (1, 2))
    shown = server.post("/artifacts/filter", {"sort": "CREATED_DESC"})
    for kind in ("run", "rounds", "learning-curve", "corpus-report", "model-card"):
        artifact = next(each for each in shown if str(each["key"]).startswith(f"{kind}-"))
        page.goto(f"{server.url}/artifacts/artifact/{artifact['id']}")
        page.get_by_text(artifact["key"], exact=True).first.wait_for()
        take_picture(page, kind)


def test_suspended_runs_and_stopped_workers_resume_where_they_were_and_raise_no_alarm(
    server: PrefectServer, suspended: Suspended, messages: list[str]
) -> None:
    parent, train = suspended.parent, suspended.train
    # Nothing happens that could be waited for.
    time.sleep(max(0.0, suspended.since + HEARTBEATS_MISSED_AFTER - time.monotonic()))
    assert [server.run(each)["state"]["name"] for each in (parent, train)] == ["Suspended", "Suspended"]

    # The stage goes on alone, and the main run does not start the next one.
    server.resume(train)
    server.wait_for_state(train, "RUNNING", seconds=120)
    steps = len([each for each in server.logs(train) if "meta-steps:" in each])
    wait_for(
        lambda: len([each for each in server.logs(train) if "meta-steps:" in each]) > steps, 240, "more steps"
    )

    # A worker that is stopped by hand hands its run over to the next one.
    assert server.gpu_worker is not None
    server.gpu_worker.terminate()
    assert server.gpu_worker.wait(30) == 0
    waiting = server.run(train)["state"]
    assert (waiting["name"], waiting["message"]) == ("AwaitingRetry", STOPPED)
    server.gpu_worker = server.start(["deployments.workers", "gpu"])
    server.wait_for_state(train, "COMPLETED", seconds=600)
    assert set(server.stages(parent)) == {"prepare", "train"}
    assert server.run(parent)["state"]["name"] == "Suspended"

    server.resume(parent)
    server.wait_for_state(parent, "COMPLETED", "FAILED", "CRASHED", seconds=900)
    assert server.run(parent)["state_type"] == "COMPLETED"
    states = [each for run_id in (parent, train) for each in server.history(run_id)]
    assert not any("Crashed" in each or "MissedHeartbeats" in each or "Failed" in each for each in states)
    name = server.run(parent)["name"].partition(":")[0]
    told = [each for each in messages if parent in each or each.startswith(f"{name}: ")]
    assert not any(": Failed" in each or ": Crashed" in each for each in told)
