"""A run that was suspended leaves its process, a paused one waits in it, and all others go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.exceptions import Abort, Pause
from prefect.states import AwaitingRetry, Cancelling, Completed, Crashed, Failed, Paused, Running, Suspended

from tasks import suspension
from tasks.suspension import ASKS, HOLDS, confirm_suspension, hold, hold_if_paused, note_state

RUN = uuid4()
IN_AN_HOUR = datetime.now(UTC) + timedelta(hours=1)


class Client:
    """A client of a server on which the run is in each state for one request, and stays in the last."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)
        self.was_set: list[Any] = []

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_flow_run(self, run_id: UUID) -> Any:
        assert run_id == RUN
        return SimpleNamespace(state=self.states.pop(0) if len(self.states) > 1 else self.states[0])

    def set_flow_run_state(self, run_id: UUID, state: Any, force: bool) -> None:
        assert force
        self.was_set.append(state)


@pytest.fixture
def run_is(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put the run into states, one after the other."""

    def put(*states: Any) -> Client:
        client = Client(*states)
        monkeypatch.setattr(suspension, "get_client", lambda **_: client)
        return client

    monkeypatch.setattr(suspension, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(suspension, "get_run_logger", lambda: SimpleNamespace(info=lambda _: None))
    monkeypatch.setattr(suspension, "_paused_run", None)
    return put


def test_a_suspended_run_leaves_its_process(run_is: Any) -> None:
    run_is(Suspended())
    with pytest.raises(Pause) as raised:
        hold(RUN)
    assert raised.value.state.name == "Suspended"


def test_a_run_that_was_resumed_in_another_process_leaves_this_one(run_is: Any) -> None:
    run_is(AwaitingRetry())
    with pytest.raises(Abort):
        hold(RUN)


def test_a_paused_run_waits_until_it_is_resumed(run_is: Any) -> None:
    client = run_is(Paused(), Paused(), Paused(), Running())
    hold(RUN)
    assert len(client.states) == 1


def test_a_pause_that_nobody_has_ended_in_time_ends_the_run(run_is: Any) -> None:
    run_is(Paused(), Failed(message="The flow was paused and never resumed."))
    with pytest.raises(Abort, match="Failed"):
        hold(RUN)


@pytest.mark.parametrize("state", [Running(), Cancelling(), Crashed(name="MissedHeartbeats"), Completed()])
def test_a_run_in_any_other_state_goes_on(run_is: Any, state: Any) -> None:
    run_is(state)
    hold(RUN)


def test_between_steps_the_server_is_asked_only_after_a_pause_was_seen(run_is: Any) -> None:
    run_is(Running()).read_flow_run = lambda _: pytest.fail("one request a step")
    note_state(RUN, Running())
    hold_if_paused()
    run_is(Suspended())
    note_state(RUN, Suspended())
    with pytest.raises(Pause):
        hold_if_paused()


def test_after_a_pause_the_server_is_not_asked_any_more(run_is: Any) -> None:
    note_state(RUN, Paused())
    run_is(Paused(), Running())
    hold_if_paused()
    run_is(Running()).read_flow_run = lambda _: pytest.fail("one request a step")
    hold_if_paused()


def test_when_its_process_ends_a_suspended_run_is_suspended_until_the_same_hour(run_is: Any) -> None:
    client = run_is(Suspended(pause_expiration_time=IN_AN_HOUR, pause_key="a"))
    confirm_suspension(RUN)
    (again,) = client.was_set
    assert (again.name, again.message, again.state_details.pause_reschedule) == ("Suspended", HOLDS, True)
    assert (again.state_details.pause_timeout, again.state_details.pause_key) == (IN_AN_HOUR, "a")


def test_a_run_that_waits_for_an_answer_keeps_its_form(run_is: Any) -> None:
    asking = Suspended(pause_expiration_time=IN_AN_HOUR, pause_key="approval")
    asking.state_details.run_input_keyset = {"schema": "s", "response": "r", "description": "d"}
    client = run_is(asking)
    confirm_suspension(RUN)
    (again,) = client.was_set
    assert again.state_details.run_input_keyset == asking.state_details.run_input_keyset
    assert again.message == ASKS


@pytest.mark.parametrize("state", [Running(), AwaitingRetry(), Completed(), Paused(), None])
def test_when_its_process_ends_no_other_run_is_suspended(run_is: Any, state: Any) -> None:
    client = run_is(state)
    confirm_suspension(RUN)
    assert client.was_set == []


def test_a_process_ends_although_the_server_is_down(run_is: Any) -> None:
    def refuse(run_id: UUID) -> None:
        raise httpx.ConnectError("refused")

    run_is(Suspended()).read_flow_run = refuse
    confirm_suspension(RUN)
