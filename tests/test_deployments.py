"""What is registered on a server, and how a parent deals with its stages; without a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import load_flow_from_entrypoint
from prefect.states import AwaitingRetry, Cancelled, Cancelling, Completed, Crashed, Failed, Pending, Running
from prefect.utilities.callables import parameter_schema

from deployments.deploy import NIGHTLY, notification_block
from deployments.local_server import redis_command, server_env
from deployments.processes import read_env_file
from deployments.work_pools import LIMITS
from flows.sign_of_life import TAKEN_FOR_DEAD, is_left_to_end, is_taken_for_dead, state_before_marks
from flows.stage_runs import is_resumable, parents_of, stage_outcome

ROOT = Path(__file__).parents[1]
SNAPSHOT = Path(__file__).parent / "deployments.json"
LONG_AGO, JUST_NOW = timedelta(minutes=5), timedelta(seconds=2)


def registered() -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text())["deployments"]


def test_deployments_with_their_forms_are_as_agreed() -> None:
    """METAMAPPING_SNAPSHOT=write makes the snapshot anew."""
    seen = {
        each["name"]: {
            "pool": each["work_pool"]["name"],
            "tags": each["tags"],
            "form": form(each["entrypoint"]),
        }
        for each in registered()
    }
    seen["schedules"] = {"meta-pretraining": {"cron": NIGHTLY.cron, "timezone": NIGHTLY.timezone}}
    if os.environ.get("METAMAPPING_SNAPSHOT") == "write":
        SNAPSHOT.write_text(json.dumps(seen, indent=1) + "\n")
    assert seen == json.loads(SNAPSHOT.read_text()), (
        "meant? METAMAPPING_SNAPSHOT=write, then look at the diff"
    )


def form(entrypoint: str) -> dict[str, Any]:
    """Each parameter with its type and bounds; of the configuration, its parts."""
    schema = parameter_schema(load_flow_from_entrypoint(entrypoint)).model_dump()
    properties = dict(schema["properties"])
    if "config" in properties:
        properties |= schema["definitions"]["RunConfig"]["properties"]
    kept = ("type", "minimum", "default", "description")
    return {
        name: {key: value for key, value in about.items() if key in kept and not isinstance(value, dict)}
        for name, about in properties.items()
    }


@pytest.mark.parametrize("deployment", registered(), ids=lambda each: each["name"])
def test_a_deployment_is_found_by_the_name_under_which_its_parent_starts_it(
    deployment: dict[str, Any],
) -> None:
    assert load_flow_from_entrypoint(deployment["entrypoint"]).name == deployment["name"]
    assert deployment["description"].strip()


def test_no_parent_waits_in_a_pool_with_a_limit() -> None:
    pools = {each["name"]: each["work_pool"]["name"] for each in registered()}
    assert LIMITS[pools["meta-pretraining"]] is None
    assert LIMITS[pools["train-round"]] == 1


def test_redeploying_leaves_schedules_to_the_people() -> None:
    assert not any("schedules" in each or "parameters" in each for each in registered())


def test_automations_are_ones_the_server_takes() -> None:
    automations = yaml.safe_load((ROOT / "deployments/automations.yaml").read_text())
    for automation in automations:
        for action in automation["actions"]:
            if "block_document_id" in action:
                action["block_document_id"] = "00000000-0000-0000-0000-000000000000"
        AutomationCore.model_validate(automation)


def test_a_run_counts_as_dead_after_three_missed_heartbeats() -> None:
    beat = int(read_env_file(ROOT / "deployments/worker.env")["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    (zombies, *_) = yaml.safe_load((ROOT / "deployments/automations.yaml").read_text())
    assert zombies["trigger"]["within"] >= 3 * beat
    assert zombies["actions"][0]["message"].startswith(TAKEN_FOR_DEAD)  # which a living run takes back


def test_nothing_is_reported_to_anyone() -> None:
    env = server_env(4200, "password")
    assert env["DO_NOT_TRACK"] == "1"
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


@pytest.mark.parametrize(
    ("state", "age", "outcome"),
    [
        (Completed(), JUST_NOW, "completed"),
        (Running(), LONG_AGO, "going on"),
        (AwaitingRetry(), LONG_AGO, "going on"),
        (Failed(), JUST_NOW, "stopped"),
        (Cancelled(), JUST_NOW, "stopped"),
        (Crashed(), JUST_NOW, "going on"),
        (Crashed(), LONG_AGO, "stopped"),
    ],
)
def test_a_parent_believes_a_crash_only_when_it_has_settled(state: Any, age: timedelta, outcome: str) -> None:
    assert stage_outcome(state, age) == outcome


def test_a_stage_resumes_failed_and_crashed_parents_and_no_others() -> None:
    assert is_resumable(Failed())
    assert is_resumable(Crashed())
    assert not any(
        is_resumable(each) for each in (Cancelled(), Running(), Completed(), AwaitingRetry(), None)
    )


class ToyClient:
    """One parent, with two stage runs of the run `tiny-1`."""

    parent, links = uuid4(), [uuid4(), uuid4()]

    def read_flow_runs(self, flow_run_filter: FlowRunFilter) -> list[FlowRun]:
        tags = flow_run_filter.tags.all_
        return [stage_run(parent_task_run_id=link) for link in self.links] if tags == ["run:tiny-1"] else []

    def read_task_run(self, link: UUID) -> Any:
        assert link in self.links
        return SimpleNamespace(flow_run_id=self.parent)

    def read_flow_run(self, flow_run_id: UUID) -> UUID:
        return flow_run_id


def stage_run(**fields: Any) -> FlowRun:
    return FlowRun(flow_id=uuid4(), **fields)


def test_a_stage_resumes_the_parent_that_started_it() -> None:
    assert parents_of(ToyClient(), stage_run(parent_task_run_id=ToyClient.links[0])) == [ToyClient.parent]


def test_a_stage_started_by_hand_resumes_the_parent_of_its_run_once() -> None:
    assert parents_of(ToyClient(), stage_run(parameters={"run_id": "tiny-1"})) == [ToyClient.parent]
    assert parents_of(ToyClient(), stage_run(parameters={"run_id": "another-1"})) == []
    assert parents_of(ToyClient(), stage_run(parameters={})) == []


@pytest.mark.parametrize(
    ("state", "is_mended"),
    [
        (Crashed(message=f"{TAKEN_FOR_DEAD} for 90 seconds."), True),
        (Crashed(message="Flow run infrastructure exited with non-zero status code -9."), False),
        (Cancelled(message=TAKEN_FOR_DEAD), False),
        (None, False),
    ],
)
def test_only_a_run_that_was_taken_for_dead_says_that_it_lives(state: Any, is_mended: bool) -> None:
    assert is_taken_for_dead(state) is is_mended


@pytest.mark.parametrize(
    ("state", "age", "ends"),
    [
        (Cancelling(), LONG_AGO, True),
        (Cancelling(), JUST_NOW, False),  # its worker ends it
        (Cancelled(), LONG_AGO, False),
        (Running(), LONG_AGO, False),
        (None, LONG_AGO, False),
    ],
)
def test_a_cancelled_run_that_nobody_ends_ends_itself(state: Any, age: timedelta, ends: bool) -> None:
    assert is_left_to_end(state, age) is ends


MARK = Crashed(message=f"{TAKEN_FOR_DEAD} for 90 seconds.")


@pytest.mark.parametrize("last", [Running(), Cancelling(), Crashed(message="its process was killed")])
def test_marks_do_not_hide_what_a_run_was_in(last: Any) -> None:
    assert state_before_marks([Pending(), last, MARK, MARK]) is last


def test_a_run_of_marks_alone_was_in_nothing() -> None:
    assert state_before_marks([MARK]) is None


def test_docker_compose_takes_the_file() -> None:
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


def test_docker_compose_asks_for_the_passwords() -> None:
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


def test_the_address_of_the_webhook_is_a_secret_of_its_block() -> None:
    block = notification_block("https://hooks.example.org/services/hunter2")
    assert "hunter2" not in block.model_dump_json()
    assert "hunter2" not in repr(block)
    asked = block._build_request_args("body", "subject")
    assert asked["url"] == "https://hooks.example.org/services/hunter2"
    assert asked["json"] == {"text": "subject\nbody"}


def test_no_password_is_on_a_command_line_that_others_can_list(tmp_path: Path) -> None:
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
STARTS_IT = "import os, sys; from deployments.processes import end_at_sigterm, start; end_at_sigterm(); "
STARTS_IT += "start([sys.executable, '-c', sys.argv[1]], os.environ).wait()"


def test_what_is_started_from_a_script_in_the_background_still_ends_by_sigint():
    background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # as `make worker &` in a script does
    command = [*background, sys.executable, "-c", STARTS_IT, SAYS_WHETHER_SIGINT_ENDS_IT]
    started = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert started.stdout == "True\n"
