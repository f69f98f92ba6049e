"""The automations that are registered on a server, and the webhook that they call; no server is started."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
import yaml
from prefect.events.schemas.automations import AutomationCore

from deployments.deploy import FORMER_NAMES, create_automations, notification_block
from deployments.processes import read_env_file
from flows.outcomes import NO_IMPROVEMENT, NOT_PROMOTED, PROPOSED, STATE_NAMES
from flows.state_watchdog import MISSED_HEARTBEATS

ROOT = Path(__file__).parents[2]


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


def test_the_url_of_the_webhook_is_a_secret_of_its_block() -> None:
    block = notification_block("https://hooks.example.org/services/hunter2")
    assert "hunter2" not in block.model_dump_json()
    assert "hunter2" not in repr(block)
    asked = block._build_request_args("body", "subject")
    assert asked["url"] == "https://hooks.example.org/services/hunter2"
    assert asked["json"] == {"text": "subject\nbody"}
