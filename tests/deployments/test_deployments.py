"""What is registered on a server, and how parents and stages react to states; no server is started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
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
from prefect.input import RunInput
from prefect.states import (
    AwaitingRetry,
    Cancelled,
    Cancelling,
    Completed,
    Crashed,
    Failed,
    Pending,
    Running,
    Suspended,
)
from prefect.utilities.callables import parameter_schema

from deployments.deploy import (
    FORMER_NAMES,
    NIGHTLY,
    create_automations,
    describe_schedule,
    notification_block,
    set_form_defaults,
)
from deployments.local_server import redis_command, server_env
from deployments.processes import read_env_file
from deployments.work_pools import LIMITS
from flows.approval import answer_of
from flows.outcomes import NO_IMPROVEMENT, NOT_PROMOTED, PROPOSED, STATE_NAMES
from flows.state_watchdog import (
    MISSED_HEARTBEATS,
    MISSED_HEARTBEATS_MESSAGE,
    has_missed_heartbeats,
    is_cancellation_overdue,
    state_before_missed_heartbeats,
    state_of_living_run,
)
from flows.subflows import CRASH_RETRIES, is_resumable, is_retried, parents_of, stage_outcome
from metamapping.config.loading import read_config
from metamapping.errors import ConfigError
from metamapping.runs.promotion import Answer

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).parent / "deployments.json"
LONG_AGO, JUST_NOW = timedelta(minutes=5), timedelta(seconds=2)


def registered() -> list[dict[str, Any]]:
    return yaml.safe_load((ROOT / "deployments/prefect.yaml").read_text())["deployments"]


def test_deployments_and_their_forms_match_the_snapshot() -> None:
    """METAMAPPING_SNAPSHOT=write writes the snapshot again."""
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
        "if the change is intended, run with METAMAPPING_SNAPSHOT=write and review the diff"
    )


def form(entrypoint: str) -> dict[str, Any]:
    """Each parameter with its type and bounds; a configuration is replaced by its sections."""
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
def test_a_deployment_has_the_name_under_which_its_parent_starts_it(
    deployment: dict[str, Any],
) -> None:
    assert load_flow_from_entrypoint(deployment["entrypoint"]).name == deployment["name"]
    assert deployment["description"].strip()


def test_no_parent_waits_in_a_pool_with_a_limit() -> None:
    pools = {each["name"]: each["work_pool"]["name"] for each in registered()}
    assert LIMITS[pools["meta-pretraining"]] is None
    assert LIMITS[pools["train-round"]] == 1


def test_redeploying_leaves_schedules_and_parameters_unchanged() -> None:
    assert not any("schedules" in each or "parameters" in each for each in registered())


def test_automations_are_valid_for_the_server() -> None:
    automations = yaml.safe_load((ROOT / "deployments/automations.yaml").read_text())
    for automation in automations:
        for action in automation["actions"]:
            if "block_document_id" in action:
                action["block_document_id"] = "00000000-0000-0000-0000-000000000000"
        AutomationCore.model_validate(automation)


def test_an_automation_that_exists_under_its_former_name_is_updated() -> None:
    ((name, former),) = FORMER_NAMES.items()
    existing = SimpleNamespace(id=uuid4(), enabled=False)
    updated: list[tuple[UUID, AutomationCore]] = []
    client = SimpleNamespace(
        read_automations_by_name=lambda each: [existing] if each == former else [],
        update_automation=lambda automation_id, automation: updated.append((automation_id, automation)),
    )
    lines = create_automations(client, notify_url=None)
    ((automation_id, automation),) = updated
    assert f"{name} (off)" in lines
    assert (automation_id, automation.name, automation.enabled) == (existing.id, name, False)


def test_a_run_is_marked_as_crashed_after_three_missed_heartbeats() -> None:
    interval = int(read_env_file(ROOT / "deployments/worker.env")["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    (marking, *_) = yaml.safe_load((ROOT / "deployments/automations.yaml").read_text())
    assert marking["trigger"]["within"] >= 3 * interval


def test_the_watchdog_and_the_automations_use_the_same_state_name() -> None:
    (marking, failing, *_) = yaml.safe_load((ROOT / "deployments/automations.yaml").read_text())
    assert marking["actions"][0]["name"] == MISSED_HEARTBEATS
    # Events are named after states: whoever waits for a crash waits for this name too.
    for automation in (marking, failing):
        assert {"prefect.flow-run.Crashed", f"prefect.flow-run.{MISSED_HEARTBEATS}"} <= set(
            automation["trigger"]["expect"]
        )


@pytest.mark.parametrize(
    "state",
    [*STATE_NAMES, "Completed", "Failed", "TimedOut", "Cancelled", "Suspended", "Paused", "AwaitingRetry"],
)
def test_no_heartbeat_is_expected_of_a_run_that_has_ended_or_holds(state: str) -> None:
    (marking, *_) = yaml.safe_load((ROOT / "deployments/automations.yaml").read_text())
    assert f"prefect.flow-run.{state}" in marking["trigger"]["expect"]


def test_only_failures_raise_an_alarm() -> None:
    (_, failing, publishing, deciding) = yaml.safe_load((ROOT / "deployments/automations.yaml").read_text())
    told = {event.rpartition(".")[2] for event in failing["trigger"]["expect"]}
    assert told == {"Failed", "Crashed", MISSED_HEARTBEATS}
    assert set(publishing["trigger"]["expect"]) == {
        "prefect.flow-run.Completed",
        f"prefect.flow-run.{NO_IMPROVEMENT}",
    }
    assert set(deciding["trigger"]["expect"]) == {
        f"prefect.flow-run.{PROPOSED}",
        f"prefect.flow-run.{NOT_PROMOTED}",
    }


@pytest.mark.parametrize(
    ("state", "run_count", "retries", "is_started_again"),
    [
        (Crashed(), 1, "", False),  # the default
        (Crashed(), 1, "2", True),
        (Crashed(), 2, "2", True),
        (Crashed(), 3, "2", False),
        (Failed(), 1, "2", False),
        (Cancelled(), 1, "2", False),
    ],
)
def test_a_stage_that_crashed_is_started_again_only_as_often_as_wished(
    state: Any, run_count: int, retries: str, is_started_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CRASH_RETRIES, retries)
    assert is_retried(state, run_count) is is_started_again


def test_a_number_of_retries_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CRASH_RETRIES, "often")
    with pytest.raises(ConfigError, match="METAMAPPING_CRASH_RETRIES is 'often': expected a number"):
        is_retried(Crashed(), 1)


def test_sources_are_last_in_the_form() -> None:
    main = load_flow_from_entrypoint("flows.meta_pretraining.meta_pretraining")
    fields = parameter_schema(main).model_dump()["definitions"]["RunConfig"]["properties"]
    in_order = sorted(fields, key=lambda name: fields[name]["position"])
    assert in_order[:2] == ["name", "home"]
    assert in_order[-1] == "sources"


def test_every_form_opens_with_the_home_of_the_configuration(tmp_path: Path) -> None:
    config = read_config(ROOT / "configs/demo.yaml").at_home(str(tmp_path))
    schemas = {
        each["name"]: parameter_schema(load_flow_from_entrypoint(each["entrypoint"])).model_dump()
        for each in registered()
    }
    opened: dict[str, Any] = {}
    client = SimpleNamespace(
        read_deployment_by_name=lambda name: SimpleNamespace(
            id=name.partition("/")[0], parameter_openapi_schema=schemas[name.partition("/")[0]]
        ),
        update_deployment=lambda name, update: opened.update({name: update.parameters}),
    )
    set_form_defaults(client, list(schemas), config)
    homes = {name: values.get("config", values)["home"] for name, values in opened.items()}
    assert homes == dict.fromkeys(schemas, str(tmp_path))
    assert opened["prepare-corpus"] == opened["meta-pretraining"]


def test_a_schedule_is_described_with_whether_it_is_on() -> None:
    schedule = SimpleNamespace(schedule=NIGHTLY, active=False)
    assert describe_schedule(schedule) == "0 2 * * * UTC (off)"


def test_the_server_sends_no_telemetry() -> None:
    env = server_env(4200, "password", "another")
    assert env["DO_NOT_TRACK"] == "1"
    assert env["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


@pytest.mark.parametrize(
    ("state", "age", "outcome"),
    [
        (Completed(), JUST_NOW, "completed"),
        (Running(), LONG_AGO, "running"),
        (AwaitingRetry(), LONG_AGO, "running"),
        (Failed(), JUST_NOW, "stopped"),
        (Cancelled(), JUST_NOW, "stopped"),
        (Crashed(), JUST_NOW, "running"),
        (Crashed(), LONG_AGO, "stopped"),
    ],
)
def test_a_parent_waits_before_it_acts_on_a_crash(state: Any, age: timedelta, outcome: str) -> None:
    assert stage_outcome(state, age) == outcome


def test_a_stage_resumes_only_parents_that_failed_or_crashed() -> None:
    assert is_resumable(Failed())
    assert is_resumable(Crashed())
    assert not any(
        is_resumable(each) for each in (Cancelled(), Running(), Completed(), AwaitingRetry(), None)
    )


class ToyClient:
    """A client that knows one parent with two stage runs of the run `tiny-1`."""

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


def test_a_stage_started_by_a_person_resumes_the_parent_of_its_run_once() -> None:
    assert parents_of(ToyClient(), stage_run(parameters={"run_id": "tiny-1"})) == [ToyClient.parent]
    assert parents_of(ToyClient(), stage_run(parameters={"run_id": "another-1"})) == []
    assert parents_of(ToyClient(), stage_run(parameters={})) == []


@pytest.mark.parametrize(
    ("state", "is_marked"),
    [
        (Crashed(name=MISSED_HEARTBEATS, message="No heartbeat for 90 seconds."), True),
        (Crashed(message=f"{MISSED_HEARTBEATS_MESSAGE} for 90 seconds."), True),  # an older automation
        (Crashed(message="Flow run infrastructure exited with non-zero status code -9."), False),
        (Cancelled(name=MISSED_HEARTBEATS), False),
        (Cancelled(message=MISSED_HEARTBEATS_MESSAGE), False),
        (None, False),
    ],
)
def test_the_watchdog_reverts_only_marks_for_missed_heartbeats(state: Any, is_marked: bool) -> None:
    assert has_missed_heartbeats(state) is is_marked


@pytest.mark.parametrize(
    ("state", "age", "ends"),
    [
        (Cancelling(), LONG_AGO, True),
        (Cancelling(), JUST_NOW, False),  # its worker may still end it
        (Cancelled(), LONG_AGO, False),
        (Running(), LONG_AGO, False),
        (None, LONG_AGO, False),
    ],
)
def test_a_cancelled_run_ends_itself_if_its_worker_fails_to(state: Any, age: timedelta, ends: bool) -> None:
    assert is_cancellation_overdue(state, age) is ends


MARK = Crashed(name=MISSED_HEARTBEATS)


@pytest.mark.parametrize("last", [Running(), Cancelling(), Crashed(message="its process was killed")])
def test_marks_do_not_hide_the_state_before_them(last: Any) -> None:
    assert state_before_missed_heartbeats([Pending(), last, MARK, MARK]) is last


def test_a_run_with_marks_only_has_no_state_before_them() -> None:
    assert state_before_missed_heartbeats([MARK]) is None


@pytest.mark.parametrize("before", [Running(), Crashed(), None])
def test_a_run_that_continued_is_set_back_to_running(before: Any) -> None:
    assert state_of_living_run(before).is_running()


def test_a_suspended_run_that_was_marked_is_suspended_again() -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    state = state_of_living_run(Suspended(pause_expiration_time=until, pause_key="a", message="why"))
    assert (state.name, state.message) == ("Suspended", "why")
    assert (state.state_details.pause_timeout, state.state_details.pause_key) == (until, "a")
    assert state.state_details.pause_reschedule


def test_a_run_that_waits_for_an_answer_and_was_marked_keeps_its_form() -> None:
    asking = Suspended(pause_key="approval")
    asking.state_details.run_input_keyset = {"schema": "s", "response": "r", "description": "d"}
    assert state_of_living_run(asking).state_details.run_input_keyset == {
        "schema": "s", "response": "r", "description": "d"
    }  # fmt: skip


def test_the_form_of_an_approval_asks_for_a_decision_and_a_name() -> None:
    form = RunInput.subclass_from_base_model_type(Answer).with_initial_data(description="Better.")
    schema = form.model_json_schema()
    assert schema["required"] == ["decision", "by"]
    assert schema["properties"]["decision"]["pattern"] == "^(promote|refuse)$"
    answer = form(decision="promote", by="bob")
    assert answer_of(answer) == Answer(decision="promote", by="bob").model_dump()


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


def test_the_url_of_the_webhook_is_a_secret_of_its_block() -> None:
    block = notification_block("https://hooks.example.org/services/hunter2")
    assert "hunter2" not in block.model_dump_json()
    assert "hunter2" not in repr(block)
    asked = block._build_request_args("body", "subject")
    assert asked["url"] == "https://hooks.example.org/services/hunter2"
    assert asked["json"] == {"text": "subject\nbody"}


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
