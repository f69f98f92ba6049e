"""How parents, stages and the watchdog react to the states of runs; no server is started."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
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

from flows.state_watchdog import (
    MISSED_HEARTBEATS,
    MISSED_HEARTBEATS_MESSAGE,
    has_missed_heartbeats,
    is_cancellation_overdue,
    state_before_missed_heartbeats,
    state_of_living_run,
)
from flows.subflows import CRASH_RETRIES, is_resumable, is_retried, parents_of, stage_outcome
from metamapping.errors import ConfigError

LONG_AGO, JUST_NOW = timedelta(minutes=5), timedelta(seconds=2)
MARK = Crashed(name=MISSED_HEARTBEATS)


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
