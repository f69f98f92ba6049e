"""Promotion: by rules, by a person, or not at all; the registry says why."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from metamapping.runs.folder import RunFolder
from metamapping.runs.promotion import (
    Answer,
    apply_answer,
    apply_rules,
    check_promotion,
    expire,
    is_undecided,
)
from metamapping.runs.registry import Registry
from tests.cli.command import run_cli
from tests.runs.test_comparison import make_run
from tests.runs.test_registry import make_published


def make_candidate(tmp_path, mode: str, *, gain: float = 0.05) -> RunFolder:
    """A run that is better or worse than the one in production by ``gain`` on every source."""
    make_run(tmp_path, "old", test=True)
    make_published(tmp_path, "old", "new").promote("old", why="the first", by="ann")
    return make_run(tmp_path, "new", gain=gain, test=True, promotion={"mode": mode})


def test_nothing_is_decided_unless_the_configuration_says_so(tmp_path):
    run = make_candidate(tmp_path, "never")
    assert not is_undecided(run)
    assert check_promotion(run, by="night") is None
    assert Registry(tmp_path).candidate is None


def test_a_better_run_is_promoted_with_the_reason(tmp_path):
    run = make_candidate(tmp_path, "automatic")
    decision = check_promotion(run, by="night")
    assert Registry(tmp_path).candidate == "new"
    result = apply_rules(run, decision, by="night")
    assert result.state == "promoted"
    last = Registry(tmp_path).history()[-1]
    assert (last.production, last.by, last.why) == ("new", "night", decision.sentence)
    assert not is_undecided(run)  # an unchanged night decides nothing again


@pytest.mark.parametrize("mode", ["automatic", "approval"])
def test_a_worse_run_is_refused_by_the_rules(tmp_path, mode):
    run = make_candidate(tmp_path, mode, gain=-0.05)
    result = apply_rules(run, check_promotion(run, by="night"), by="night")
    assert result.state == "refused"
    assert result.sentence.startswith("Clearly worse than production: ")
    assert Registry(tmp_path).aliases == {"production": "old"}


@pytest.mark.parametrize(("answer", "production"), [("promote", "new"), ("refuse", "old")])
def test_a_person_decides_about_a_better_run(tmp_path, answer, production):
    run = make_candidate(tmp_path, "approval")
    decision = check_promotion(run, by="night")
    assert apply_rules(run, decision, by="night").state == "waiting"
    assert is_undecided(run)
    apply_answer(run, decision, Answer(decision=answer, reason="I looked at it", by="bob"))
    last = Registry(tmp_path).history()[-1]
    assert (last.production, last.by, last.why) == (production, "bob", "I looked at it")
    assert not is_undecided(run)


def test_an_answer_that_comes_after_another_promotion_does_not_count(tmp_path):
    run = make_candidate(tmp_path, "approval")
    decision = check_promotion(run, by="night")
    make_published(tmp_path, "third").promote("third", why="urgent", by="ann")
    result = apply_answer(run, decision, Answer(decision="promote", by="bob"))
    assert result.state == "refused"
    assert "compared with old, but meanwhile third is in production" in result.sentence
    assert Registry(tmp_path).production == "third"
    assert not is_undecided(run)


def test_without_an_answer_the_candidate_is_dropped_and_can_still_be_promoted(tmp_path):
    run = make_candidate(tmp_path, "approval")
    check_promotion(run, by="night")
    assert "Nobody has answered within 24 hours" in expire(run, by="night").sentence
    registry = Registry(tmp_path)
    assert registry.history()[-1].action == "expire"
    assert registry.aliases == {"production": "old"}
    assert registry.promote("new", why="after all", by="bob").production == "new"


def test_an_answer_names_who_gives_it():
    with pytest.raises(ValidationError, match="by"):
        Answer(decision="promote", by="")


@pytest.mark.parametrize(("gain", "code"), [(0.05, 0), (-0.05, 2)])
def test_the_command_checks_before_it_promotes(tmp_path, capsys, gain, code):
    make_candidate(tmp_path, "never", gain=gain)
    assert run_cli("promote", "new", "--check", "--home", tmp_path) == code
    seen = capsys.readouterr()
    assert "| validation | hotel |" in seen.out
    assert Registry(tmp_path).production == ("old" if code else "new")
    assert ("new is not promoted" in seen.err) is bool(code)
