"""Drift is reported, proposed or starts a new run, as the parameters say."""

import pytest

from flows import check_drift as flow
from metamapping.errors import ConfigError

CALL = {"folder": "tasks/orders", "log": "log.jsonl", "name": "orders"}


@pytest.fixture
def started(monkeypatch):
    """The runs that were started."""
    runs = []

    def start(home, run_id, reason):
        runs.append((home, run_id))
        return "brave-otter"

    monkeypatch.setattr(flow, "start_run", start)
    return runs


def finding(monkeypatch, has_drifted):
    result = (has_drifted, "drift in 200 texts" if has_drifted else "no drift found")
    monkeypatch.setattr(flow.tasks, "check_drift", lambda *arguments, **named: result)


def test_without_drift_nothing_is_started(monkeypatch, started):
    finding(monkeypatch, False)
    assert flow.check_drift.fn(**CALL, start=True, run_id="demo-1") == "no drift found"
    assert started == []


def test_drift_is_proposed_unless_a_start_is_asked_for(monkeypatch, started):
    finding(monkeypatch, True)
    assert "proposed: label new texts" in flow.check_drift.fn(**CALL)
    assert started == []
    assert flow.check_drift.fn(**CALL, start=True, run_id="demo-1", home="h").endswith("started brave-otter")
    assert started == [("h", "demo-1")]


def test_a_start_needs_the_run_to_start():
    with pytest.raises(ConfigError, match="there is no `run_id`"):
        flow.check_drift.fn(**CALL, start=True)
