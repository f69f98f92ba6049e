from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from metamapping.config.rounds import ConvergenceSpec
from metamapping.rounds.records import RoundReport, Verdict
from metamapping.rounds.verdict import judge
from tests.toy_rounds import toy_history, toy_report

SPEC = ConvergenceSpec(max_rounds=10, patience=2)


def judged(history: list[RoundReport], spec: ConvergenceSpec) -> list[Verdict]:
    """The verdict after each round."""
    return [judge(history[:n], spec) for n in range(1, len(history) + 1)]


def test_a_clear_gain_is_improving_and_becomes_the_best():
    verdict = judge(toy_history([0.6]), SPEC)
    assert (verdict.state, verdict.best_round) == ("IMPROVING", 1)
    assert verdict.gain == pytest.approx(0.1)
    assert "0.100" in verdict.sentence


def test_a_gain_within_its_noise_does_not_count():
    verdict = judge(toy_history([0.6, 0.61], noise=0.1), SPEC)
    assert (verdict.state, verdict.compared_with) == ("PLATEAUED", 1)
    assert verdict.gain == pytest.approx(0.01)
    assert verdict.gain_low < 0 < verdict.gain_high


def test_a_lucky_round_becomes_the_best_but_not_the_reference_round():
    verdicts = judged(toy_history([0.6, 0.61, 0.605], noise=0.1), SPEC)
    assert [v.compared_with for v in verdicts] == [0, 1, 1]
    assert [v.leading_round for v in verdicts] == [1, 2, 2]
    assert [v.best_round for v in verdicts] == [1, 2, 2]


def test_a_best_round_without_a_clear_gain_over_the_encoder_before_meta_training_is_not_published():
    verdict = judge(toy_history([0.51], noise=0.1), SPEC)
    assert (verdict.leading_round, verdict.best_round) == (1, 0)


def test_small_gains_over_the_same_reference_round_add_up_to_a_clear_one():
    spec = ConvergenceSpec(max_rounds=10, patience=5)
    history = toy_history([0.6, 0.61, 0.62, 0.65], noise=0.05)
    verdicts = judged(history, spec)[1:]
    assert [v.state for v in verdicts] == ["PLATEAUED", "PLATEAUED", "IMPROVING"]
    assert [v.compared_with for v in verdicts] == [1, 1, 1]


def test_a_run_converges_after_as_many_rounds_without_a_gain_as_its_patience():
    history = toy_history([0.6, 0.6, 0.59])
    assert judge(history[:2], SPEC).state == "PLATEAUED"
    verdict = judge(history, SPEC)
    assert (verdict.state, verdict.best_round) == ("CONVERGED", 1)
    assert "2 rounds without a clear or a probable gain" in verdict.sentence
    assert verdict.is_final


def test_a_run_that_still_rises_has_not_converged():
    spec = ConvergenceSpec(max_rounds=10, patience=2)
    verdicts = judged(toy_history([0.6, 0.612, 0.62, 0.61, 0.61], noise=0.05), spec)
    # Rounds 2 and 3 bring probable gains, so only rounds 4 and 5 count towards the patience.
    assert [v.leading_round for v in verdicts] == [1, 2, 3, 3, 3]
    assert [v.state for v in verdicts] == ["IMPROVING", "PLATEAUED", "PLATEAUED", "PLATEAUED", "CONVERGED"]
    assert "2 rounds without a clear or a probable gain" in verdicts[-1].sentence


def test_a_gain_in_between_resets_the_patience():
    assert judge(toy_history([0.6, 0.6, 0.7, 0.7]), SPEC).state == "PLATEAUED"


def test_the_sentence_says_when_no_round_beats_the_encoder_before_meta_training():
    verdict = judge(toy_history([0.5, 0.5], noise=0.1), SPEC)
    assert (verdict.state, verdict.best_round) == ("CONVERGED", 0)
    assert "No round has clearly beaten the encoder before meta-training" in verdict.sentence


def test_a_run_converges_when_its_target_is_reached():
    spec = ConvergenceSpec(max_rounds=10, target_accuracy=0.65)
    assert judge(toy_history([0.6]), spec).state == "IMPROVING"
    verdict = judge(toy_history([0.6, 0.7]), spec)
    assert (verdict.state, verdict.best_round) == ("CONVERGED", 2)
    assert "accuracy 0.700, target 0.650" in verdict.sentence


def test_a_target_met_by_luck_alone_is_not_reached():
    spec = ConvergenceSpec(max_rounds=10, target_accuracy=0.605)
    assert judge(toy_history([0.6, 0.61], noise=0.1), spec).state == "PLATEAUED"


def test_every_task_type_must_reach_its_target():
    report = toy_report(1, {"hotel": 0.9, "doctor": 0.6})
    ner = report.cells[1].model_copy(update={"task_type": "ner"})
    report = report.model_copy(update={"cells": [report.cells[0], ner]})
    low, high = {"text-classification": 0.8, "ner": 0.55}, {"text-classification": 0.8, "ner": 0.65}
    assert judge([report], ConvergenceSpec(task_targets=high)).state == "IMPROVING"
    verdict = judge([report], ConvergenceSpec(task_targets=low))
    assert verdict.state == "CONVERGED"
    assert "ner 0.600, target 0.550" in verdict.sentence
    both = ConvergenceSpec(task_targets=low, target_accuracy=0.9)
    assert judge([report], both).state == "IMPROVING"


def test_nothing_converges_before_min_rounds():
    spec = ConvergenceSpec(max_rounds=5, min_rounds=4, patience=1, target_accuracy=0.55)
    history = toy_history([0.6, 0.6, 0.6, 0.6])
    states = [verdict.state for verdict in judged(history, spec)]
    assert states == ["IMPROVING", "PLATEAUED", "PLATEAUED", "CONVERGED"]


def test_the_last_round_is_exhausted_and_its_sentence_states_the_gain():
    verdict = judge(toy_history([0.6, 0.7]), ConvergenceSpec(max_rounds=2))
    assert (verdict.state, verdict.best_round) == ("EXHAUSTED", 2)
    assert "brings a clear gain (+0.100" in verdict.sentence
    assert "It was the last of 2 rounds" in verdict.sentence


def test_a_round_that_does_not_fit_into_the_time_left_is_not_started():
    spec = ConvergenceSpec(max_rounds=10, max_seconds=100)
    history = toy_history([0.6, 0.7], seconds=40)
    assert judge(history[:1], spec).state == "IMPROVING"
    verdict = judge(history, spec)
    assert verdict.state == "EXHAUSTED"
    assert "do not fit into the 20 that are left of 100" in verdict.sentence


def test_a_time_limit_ends_a_run_before_min_rounds():
    spec = ConvergenceSpec(max_rounds=10, min_rounds=5, max_seconds=5)
    assert judge(toy_history([0.6]), spec).state == "EXHAUSTED"


def test_a_loss_of_nan_has_diverged_and_is_never_the_best():
    verdict = judge([toy_report(1, 0.9, loss=math.nan)], SPEC)
    assert (verdict.state, verdict.best_round) == ("DIVERGED", 0)
    assert "its training loss is nan" in verdict.sentence


def test_scores_of_nan_have_diverged_without_a_gain():
    verdict = judge([toy_report(1, math.nan)], SPEC)
    assert (verdict.state, verdict.gain) == ("DIVERGED", None)


def test_a_loss_explosion_has_diverged():
    verdict = judge([toy_report(1, 0.6, loss=1.0), toy_report(2, 0.6, loss=2.5)], SPEC)
    assert (verdict.state, verdict.best_round) == ("DIVERGED", 1)
    assert "2.5 is more than 2 times 1" in verdict.sentence


def test_more_weight_for_hard_sources_is_not_a_loss_explosion():
    first = toy_report(1, 0.6, loss=0.5, source_losses={"coffee": 0.2, "intents": 2.2})
    second = toy_report(2, 0.6, loss=2.0, source_losses={"coffee": 0.2, "intents": 2.0})
    assert judge([first, second], SPEC).state == "PLATEAUED"


def test_a_round_below_the_encoder_before_meta_training_has_diverged():
    verdict = judge(toy_history([0.6, 0.45]), SPEC)
    assert (verdict.state, verdict.best_round) == ("DIVERGED", 1)
    assert "against the encoder before meta-training" in verdict.sentence


def test_a_round_below_the_encoder_before_meta_training_within_noise_has_not_diverged():
    assert judge(toy_history([0.49], noise=0.1), SPEC).state == "PLATEAUED"


def test_a_source_below_its_baseline_is_a_divergence_without_a_gain():
    falling = {"hotel": 0.6, "bank": 0.4}
    verdict = judge(toy_history([{"hotel": 0.55, "bank": 0.55}, falling]), SPEC)
    assert verdict.state == "DIVERGED"
    assert "source 'bank' is -0.100" in verdict.sentence


def test_a_source_below_its_baseline_is_no_divergence_with_a_gain():
    sources = {f"source{i}": 0.7 for i in range(9)} | {"bank": 0.45}
    assert judge(toy_history([sources]), SPEC).state == "IMPROVING"


def test_a_source_that_loses_more_than_allowed_is_a_divergence_even_with_a_gain():
    sources = {f"source{i}": 0.7 for i in range(9)} | {"bank": 0.45}
    strict = ConvergenceSpec(max_rounds=10, max_source_fall=0.04)
    assert judge(toy_history([sources]), strict).state == "DIVERGED"
    lax = ConvergenceSpec(max_rounds=10, max_source_fall=0.06)
    assert judge(toy_history([sources]), lax).state == "IMPROVING"


def test_diverged_rounds_do_not_count_towards_the_patience():
    assert judge(toy_history([0.6, 0.4, 0.4, 0.4]), SPEC).state == "DIVERGED"


def test_a_history_with_a_gap_or_without_rounds_is_rejected():
    with pytest.raises(ValueError, match=r"rounds \[1, 3\], expected 1 to 2"):
        judge([toy_report(1, 0.5), toy_report(3, 0.5)], SPEC)
    with pytest.raises(ValueError, match="no rounds to judge"):
        judge([], SPEC)


def test_more_min_rounds_than_max_rounds_are_rejected():
    with pytest.raises(ValidationError, match="min_rounds 3 is more than max_rounds 2"):
        ConvergenceSpec(min_rounds=3, max_rounds=2)


HISTORIES = st.lists(
    st.tuples(
        st.one_of(st.floats(0.2, 0.9), st.just(math.nan)),
        st.one_of(st.floats(0.01, 5.0), st.just(math.nan), st.just(math.inf)),
        st.floats(0.0, 60.0),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda rounds: [
        toy_report(i + 1, accuracy, loss=loss, seconds=seconds, noise=0.05)
        for i, (accuracy, loss, seconds) in enumerate(rounds)
    ]
)
SPECS = st.builds(
    ConvergenceSpec,
    max_rounds=st.integers(3, 6),
    min_rounds=st.integers(1, 3),
    patience=st.integers(1, 3),
    target_accuracy=st.one_of(st.none(), st.floats(0, 1)),
    max_seconds=st.one_of(st.none(), st.floats(1, 200)),
    population=st.sampled_from(["sources", "episodes"]),
)


@settings(max_examples=40)
@given(HISTORIES, SPECS)
def test_the_same_history_gives_the_same_verdict_even_after_json(history, spec):
    verdict = judge(history, spec)
    again = [RoundReport.model_validate_json(report.model_dump_json()) for report in history]
    assert judge(again, spec).model_dump_json() == verdict.model_dump_json()
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@settings(max_examples=40)
@given(HISTORIES, SPECS)
def test_a_run_ends_at_max_rounds_or_when_its_time_is_used(history, spec):
    seconds = 0.0
    for n, report in enumerate(history, start=1):
        verdict = judge(history[:n], spec)
        assert 0 <= verdict.best_round <= n
        seconds += report.training.seconds
        if n >= spec.max_rounds or (spec.max_seconds is not None and seconds >= spec.max_seconds):
            assert verdict.is_final
        if verdict.state == "CONVERGED":
            assert n >= spec.min_rounds


@settings(max_examples=40)
@given(HISTORIES, HISTORIES, SPECS)
def test_no_verdict_depends_on_the_future(history, future, spec):
    """The current best and the reference round only ever change to a round that was just judged."""
    later = [report.model_copy(update={"round": len(history) + report.round}) for report in future]
    before = [0, 0]
    for n, verdict in enumerate(judged([*history, *later], spec), start=1):
        assert verdict.leading_round in (before[0], n)
        assert verdict.best_round in (0, verdict.leading_round)
        assert verdict.compared_with in (before[1], n - 1)
        before = [verdict.leading_round, verdict.compared_with]
