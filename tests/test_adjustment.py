from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from metamapping.adjustment import (
    Adjustment,
    Round,
    adjust,
    apply_adjustments,
    start_round,
    training_of,
)
from metamapping.config import AdjustmentSpec, ConvergenceSpec, TrainingSpec
from metamapping.convergence import judge
from metamapping.reports import RoundReport
from tests.toy_rounds import toy_history, toy_report

TRAINING = TrainingSpec(learning_rate=1e-3)
SPEC = AdjustmentSpec()


def run_loop(reports: list[RoundReport], training=TRAINING, spec=SPEC) -> list[Round]:
    """Judge and adjust after each of these reports, as a run does."""
    history: list[Round] = []
    convergence = ConvergenceSpec(max_rounds=99, patience=99)
    for n, report in enumerate(reports, start=1):
        verdict = judge(reports[:n], convergence)
        adjustments = adjust(history, report, verdict, training_of(training, history), spec)
        history.append(Round(report=report, verdict=verdict, adjustments=adjustments))
    return history


def test_improving_goes_on_unchanged():
    history = run_loop(toy_history([0.6]))
    assert history[0].adjustments == []
    assert training_of(TRAINING, history) == TRAINING
    assert start_round(history) == 1


def test_a_plateau_goes_back_to_the_best_with_a_lower_learning_rate():
    history = run_loop(toy_history([0.6, 0.6]))
    assert start_round(history) == 1
    assert training_of(TRAINING, history).learning_rate == pytest.approx(5e-4)
    assert "no clear gain" in history[1].adjustments[0].why


def test_divergence_in_the_first_round_goes_back_to_the_untrained_encoder():
    history = run_loop([toy_report(1, 0.4, loss=math.nan)])
    assert start_round(history) == 0
    assert training_of(TRAINING, history).learning_rate == pytest.approx(5e-4)


def test_no_rounds_yet_start_from_the_untrained_encoder_as_configured():
    assert start_round([]) == 0
    assert training_of(TRAINING, []) == TRAINING


def test_a_finished_run_is_not_adjusted():
    reports = toy_history([0.6, 0.6])
    verdict = judge(reports, ConvergenceSpec(max_rounds=2))
    assert adjust([], reports[-1], verdict, TRAINING, SPEC) == []


def test_the_learning_rate_stops_at_its_bound_and_is_never_raised():
    spec = AdjustmentSpec(min_learning_rate=4e-4)
    history = run_loop(toy_history([0.6] * 5), spec=spec)
    assert training_of(TRAINING, history).learning_rate == 4e-4
    slow = TrainingSpec(learning_rate=1e-5)
    history = run_loop(toy_history([0.6] * 3), training=slow, spec=spec)
    assert training_of(slow, history).learning_rate == 1e-5


def test_the_source_whose_loss_fell_least_gets_more_weight():
    first = toy_report(1, 0.6, source_losses={"coffee": 0.7, "books": 0.7, "intents": 2.4})
    second = toy_report(2, 0.6, source_losses={"coffee": 0.6, "books": 0.35, "intents": 1.2})
    history = run_loop([first, second])
    assert training_of(TRAINING, history).source_weights == {"coffee": 1.5}
    why = history[1].adjustments[-1].why
    assert why == "it lags: 86% of its first loss is left, 50% in the median source"


def test_a_source_weight_stops_at_its_bound():
    losses = [{"coffee": 1.0, "books": 1.0}] + [{"coffee": 1.0, "books": 0.1}] * 6
    reports = [toy_report(i + 1, 0.6, source_losses=loss) for i, loss in enumerate(losses)]
    history = run_loop(reports)
    assert training_of(TRAINING, history).source_weights == {"coffee": SPEC.max_source_weight}


def test_an_adjustment_of_an_unknown_field_is_refused():
    wrong = Adjustment(field="learning_rat", old=1, new=2, why="a test")
    with pytest.raises(ValueError, match="'learning_rat': the training has no such field"):
        apply_adjustments(TRAINING, [wrong])


def test_an_adjustment_beyond_what_training_allows_is_refused():
    wrong = Adjustment(field="learning_rate", old=1e-3, new=-1.0, why="a test")
    with pytest.raises(ValidationError, match="greater than 0"):
        apply_adjustments(TRAINING, [wrong])


def test_a_round_survives_json_with_a_loss_of_nan():
    history = run_loop([toy_report(1, 0.6), toy_report(2, 0.6, loss=math.nan)])
    again = [Round.model_validate_json(judged.model_dump_json()) for judged in history]
    assert math.isnan(again[1].report.training.loss)
    assert again[1].adjustments == history[1].adjustments
    assert again[1].verdict == history[1].verdict
    assert start_round(again) == start_round(history)
    assert training_of(TRAINING, again) == training_of(TRAINING, history)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.3, 0.8), st.one_of(st.floats(0.1, 3), st.just(math.nan))),
        min_size=1,
        max_size=8,
    ),
    st.builds(
        AdjustmentSpec,
        learning_rate_factor=st.floats(0.05, 0.95),
        min_learning_rate=st.floats(1e-7, 1e-2),
        source_weight_factor=st.floats(1, 5),
        max_source_weight=st.floats(1, 10),
    ),
)
def test_no_adjustment_ever_goes_past_its_bound(rounds, spec):
    reports = [
        toy_report(i + 1, accuracy, loss=loss, source_losses={"a": loss, "b": 1 / (i + 1)})
        for i, (accuracy, loss) in enumerate(rounds)
    ]
    history = run_loop(reports, spec=spec)
    for n in range(1, len(history) + 1):
        training = training_of(TRAINING, history[:n])
        assert min(TRAINING.learning_rate, spec.min_learning_rate) <= training.learning_rate
        assert training.learning_rate <= TRAINING.learning_rate
        assert all(1 <= w <= spec.max_source_weight for w in training.source_weights.values())
        assert 0 <= start_round(history[:n]) <= n
