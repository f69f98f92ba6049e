"""The process that trains a round evaluates it as well, where the worker's variable says so."""

import logging

import pytest

from flows import train_round as flow
from metamapping.errors import ConfigError


@pytest.fixture
def called(monkeypatch):
    """The tasks that the flow calls, in order."""
    tasks = []
    for name in ("train", "evaluate"):
        monkeypatch.setattr(
            flow, name, lambda *arguments, name=name: tasks.append((name, *arguments)) or {name: 1}
        )
    monkeypatch.setattr(flow, "is_trained", lambda home, run_id, round: round == 1)
    return tasks


@pytest.mark.parametrize("value", [None, "", "0"])
def test_by_default_only_the_stage_of_its_own_evaluates(called, monkeypatch, value):
    monkeypatch.delenv(flow.EVALUATE_AFTER_TRAINING, raising=False)
    if value is not None:
        monkeypatch.setenv(flow.EVALUATE_AFTER_TRAINING, value)
    assert flow.train_round.fn("toy-1", 2, "home") == {"train": 1}
    assert called == [("train", "home", "toy-1", 2)]


def test_a_worker_may_evaluate_in_the_process_that_has_trained(called, monkeypatch):
    monkeypatch.setenv(flow.EVALUATE_AFTER_TRAINING, "1")
    assert flow.train_round.fn("toy-1", 2, "home") == {"train": 1}
    assert called == [("train", "home", "toy-1", 2), ("evaluate", "home", "toy-1", 2)]


def test_a_retry_after_training_leaves_evaluating_to_its_own_stage(called, monkeypatch):
    monkeypatch.setenv(flow.EVALUATE_AFTER_TRAINING, "1")
    assert flow.train_round.fn("toy-1", 1, "home") == {"train": 1}
    assert called == [("train", "home", "toy-1", 1)]


def test_a_round_is_trained_even_if_evaluating_it_fails(called, monkeypatch, caplog):
    def fails(*_):
        raise OSError("the disk is full")

    monkeypatch.setenv(flow.EVALUATE_AFTER_TRAINING, "1")
    monkeypatch.setattr(flow, "evaluate", fails)
    monkeypatch.setattr(flow, "get_run_logger", lambda: logging.getLogger("toy"))
    assert flow.train_round.fn("toy-1", 2, "home") == {"train": 1}
    assert "the stage evaluate-round tries it again: the disk is full" in caplog.text


def test_another_value_is_an_error_before_anything_is_trained(called, monkeypatch):
    monkeypatch.setenv(flow.EVALUATE_AFTER_TRAINING, "yes")
    with pytest.raises(ConfigError, match="METAMAPPING_EVALUATE_AFTER_TRAINING is 'yes': expected 1"):
        flow.train_round.fn("toy-1", 2, "home")
    assert called == []
