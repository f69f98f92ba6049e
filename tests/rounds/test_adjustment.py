from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from metamapping.config.episodes import EpisodeSpec
from metamapping.config.rounds import AdjustmentSpec, ConvergenceSpec
from metamapping.config.training import TrainingSpec
from metamapping.rounds.adjustment import adjust
from metamapping.rounds.next_round import (
    apply_adjustments,
    mean_of_rounds,
    needed_rounds,
    settings_of,
    start_round,
)
from metamapping.rounds.records import Adjustment, Round, RoundReport
from metamapping.rounds.settings import AdjustableSettings
from metamapping.rounds.verdict import judge
from tests.toy_rounds import toy_history, toy_report

TRAINING = TrainingSpec(learning_rate=1e-3)
SPEC = AdjustmentSpec()
# The two moves whose conditions nearly always hold; the others need evidence of their own.
TWO = AdjustmentSpec(moves=["settle", "without"])


def configured(
    training: TrainingSpec = TRAINING, *, trainable_layers: int | None = None
) -> AdjustableSettings:
    return AdjustableSettings(training=training, episodes=EpisodeSpec(), trainable_layers=trainable_layers)


def training_of(training: TrainingSpec, history: list[Round]) -> TrainingSpec:
    return settings_of(configured(training), history).training


def judged_and_adjusted(
    history: list[Round], report: RoundReport, training=TRAINING, spec=TWO
) -> list[Round]:
    """The history with one more round, judged and adjusted as in a run."""
    reports = [*(judged.report for judged in history), report]
    verdict = judge(reports, ConvergenceSpec(max_rounds=99, patience=99))
    adjustments = adjust(history, report, verdict, configured(training), spec)
    return [*history, Round(report=report, verdict=verdict, adjustments=adjustments)]


def run_loop(reports: list[RoundReport], training=TRAINING, spec=TWO) -> list[Round]:
    """The history after judging and adjusting after each report."""
    history: list[Round] = []
    for report in reports:
        weights = training_of(training, history).source_weights
        history = judged_and_adjusted(history, with_weights(report, weights), training, spec)
    return history


def with_weights(report: RoundReport, weights: dict[str, float]) -> RoundReport:
    """The report of a round that was trained with these source weights."""
    trained = report.training.model_copy(update={"source_weights": weights})
    return report.model_copy(update={"training": trained})


def test_an_improving_run_continues_unchanged():
    history = run_loop(toy_history([0.6]))
    assert history[0].adjustments == []
    assert training_of(TRAINING, history) == TRAINING
    assert start_round(history) == 1


def test_a_plateau_restarts_from_the_best_round_with_a_lower_learning_rate():
    history = run_loop(toy_history([0.6, 0.6]))
    assert start_round(history) == 1
    assert training_of(TRAINING, history).learning_rate == pytest.approx(5e-4)
    assert "no clear gain" in history[1].adjustments[0].why


def test_divergence_in_the_first_round_restarts_from_the_untrained_encoder():
    history = run_loop([toy_report(1, 0.4, loss=math.nan)])
    assert start_round(history) == 0
    assert training_of(TRAINING, history).learning_rate == pytest.approx(5e-4)


def test_the_first_round_starts_from_the_untrained_encoder_as_configured():
    assert start_round([]) == 0
    assert training_of(TRAINING, []) == TRAINING


def test_a_finished_run_is_not_adjusted():
    reports = toy_history([0.6, 0.6])
    verdict = judge(reports, ConvergenceSpec(max_rounds=2))
    assert adjust([], reports[-1], verdict, configured(), SPEC) == []


def test_the_learning_rate_stops_at_its_bound_and_is_never_raised():
    spec = AdjustmentSpec(moves=["settle"], min_learning_rate=4e-4)
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
    assert why == "it lags behind: 86% of its first loss remains, 50% for the median source"


def test_a_source_weight_that_brought_a_gain_is_kept_and_stops_at_its_bound():
    """Plateaus alternate with clear gains: the next round starts from the settings of the last gain."""
    history: list[Round] = []
    for n in range(1, 13):
        books = {"coffee": 1.0, "books": 1.0 / n}
        report = toy_report(n, 0.5 + 0.02 * ((n + 1) // 2), source_losses=books)
        weights = training_of(TRAINING, history).source_weights
        history = judged_and_adjusted(history, with_weights(report, weights))
    seen = [training_of(TRAINING, history[:n]).source_weights.get("coffee", 1) for n in range(13)]
    assert seen == sorted(seen)
    assert sorted(set(seen)) == [1, 1.5, 2.25, 3.375, SPEC.max_source_weight]


def test_a_source_weight_that_brought_no_gain_is_reverted():
    losses = [{"coffee": 1.0, "books": 1.0, "bank": 1.0}, {"coffee": 1.0, "books": 0.5, "bank": 0.5}]
    reports = [toy_report(i + 1, 0.6, source_losses=losses[min(i, 1)]) for i in range(3)]
    history = run_loop(reports)
    assert training_of(TRAINING, history[:2]).source_weights == {"coffee": 1.5}
    assert history[2].move == "without coffee"
    assert training_of(TRAINING, history).source_weights == {"coffee": SPEC.min_source_weight}
    history = run_loop([*reports, toy_report(4, 0.6, source_losses=losses[1])])
    assert history[3].move == "without books"
    weights = training_of(TRAINING, history).source_weights
    assert weights == {"coffee": 1.0, "books": SPEC.min_source_weight}


def test_each_round_tries_one_move_and_repeats_none_before_all_others_were_tried():
    losses = {"coffee": 1.0, "books": 0.9, "bank": 0.8}
    history = run_loop([toy_report(i + 1, 0.6, source_losses=losses) for i in range(7)])
    assert [judged.move for judged in history] == [
        "",
        "settle",
        "without coffee",
        "without books",
        "without bank",
        "settle",
        "without coffee",
    ]
    for judged in history:
        assert len({a.move for a in judged.adjustments} - {""}) <= 1


def test_after_a_clear_gain_no_move_counts_as_tried():
    losses = {"coffee": 1.0, "books": 0.9, "bank": 0.8}
    accuracies = [0.6, 0.6, 0.7, 0.7]
    history = run_loop([toy_report(i + 1, a, source_losses=losses) for i, a in enumerate(accuracies)])
    assert [judged.move for judged in history] == ["", "settle", "", "settle"]


def test_half_of_the_sources_and_at_least_two_always_keep_their_weight():
    for names in ("abc", "abcdef"):
        history: list[Round] = []
        for n in range(1, 18):
            # Each trial without a source brings a gain, so without a bound the loop would drop all of them.
            gain = bool(history) and history[-1].move.startswith("without")
            before = history[-1].report.cells[0].scores if history else [0.3]
            accuracy = float(np.mean(before)) + (0.02 if gain else 0.0)
            losses = dict.fromkeys(names, 1.0)
            report = toy_report(n, accuracy, untrained=0.3, source_losses=losses)
            weights = training_of(TRAINING, history).source_weights
            history = judged_and_adjusted(history, with_weights(report, weights))
        kept = [n for n in names if training_of(TRAINING, history).source_weights.get(n, 1.0) == 1.0]
        assert len(kept) == max(2, len(names) // 2)


def test_after_a_divergence_no_source_is_removed():
    losses = {"coffee": 1.0, "books": 0.9, "bank": 0.8}
    diverged = [toy_report(i, 0.6, loss=math.nan, source_losses=losses) for i in (3, 4, 5)]
    history = run_loop([*(toy_report(i, 0.6, source_losses=losses) for i in (1, 2)), *diverged])
    assert [judged.move for judged in history] == ["", "settle", "settle", "settle", "settle"]


def test_a_probable_gain_is_followed_by_another_round_unchanged():
    history = run_loop(toy_history([0.6, 0.615], noise=0.05))
    assert history[1].verdict.state == "PLATEAUED"
    assert history[1].adjustments == []


@pytest.mark.parametrize(("loss", "is_unchanged"), [(0.5, True), (0.97, False)])
def test_the_current_best_continues_unchanged_while_training_losses_fall(loss, is_unchanged):
    rounds = [toy_report(1, 0.6, noise=0.1), toy_report(2, 0.603, noise=0.1, loss=loss)]
    last = run_loop(rounds)[-1]
    assert (last.verdict.state, last.verdict.leading_round) == ("PLATEAUED", 2)
    assert (last.adjustments == []) is is_unchanged


def test_after_a_single_source_regressed_every_move_may_be_tried():
    good, losses = {"hotel": 0.8, "bank": 0.6, "news": 0.6}, {"coffee": 1.0, "books": 0.9, "shop": 0.8}
    accuracies = [good, good, {**good, "bank": 0.45}]
    history = run_loop([toy_report(i + 1, each, source_losses=losses) for i, each in enumerate(accuracies)])
    last = history[-1]
    assert (last.verdict.state, last.verdict.fallen) == ("DIVERGED", True)
    assert "'bank'" in last.verdict.sentence
    assert [judged.move for judged in history] == ["", "settle", "without coffee"]


def test_without_moves_nothing_changes():
    history = run_loop(toy_history([0.6, 0.6, 0.3]), spec=AdjustmentSpec(moves=[]))
    assert [judged.adjustments for judged in history] == [[], [], []]


def test_an_adjustment_of_an_unknown_setting_is_rejected():
    wrong = Adjustment(field="learning_rat", old=1, new=2, why="a test")
    with pytest.raises(ValueError, match="'learning_rat': there is no such setting"):
        apply_adjustments(configured(), [wrong])


def test_an_adjustment_to_an_invalid_value_is_rejected():
    wrong = Adjustment(field="learning_rate", old=1e-3, new=-1.0, why="a test")
    with pytest.raises(ValidationError, match="greater than 0"):
        apply_adjustments(configured(), [wrong])


def test_a_round_with_a_loss_of_nan_is_the_same_after_json():
    history = run_loop([toy_report(1, 0.6), toy_report(2, 0.6, loss=math.nan)])
    again = [Round.model_validate_json(judged.model_dump_json()) for judged in history]
    assert math.isnan(again[1].report.training.loss)
    assert again[1].adjustments == history[1].adjustments
    assert again[1].verdict == history[1].verdict
    assert start_round(again) == start_round(history)
    assert training_of(TRAINING, again) == training_of(TRAINING, history)


@settings(max_examples=40)
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
def test_no_adjustment_exceeds_its_bounds(rounds, spec):
    reports = [
        toy_report(i + 1, accuracy, loss=loss, source_losses={"a": loss, "b": 1 / (i + 1), "c": 1.0})
        for i, (accuracy, loss) in enumerate(rounds)
    ]
    history = run_loop(reports, spec=spec)
    for n in range(1, len(history) + 1):
        training = training_of(TRAINING, history[:n])
        assert min(TRAINING.learning_rate, spec.min_learning_rate) <= training.learning_rate
        assert training.learning_rate <= TRAINING.learning_rate
        for weight in training.source_weights.values():
            assert min(1.0, spec.min_source_weight) <= weight <= spec.max_source_weight
        assert 0 <= start_round(history[:n]) <= n


@given(accuracies=st.lists(st.floats(0.2, 0.95), min_size=2, max_size=12))
@settings(max_examples=12)
def test_every_checkpoint_that_a_later_round_or_publishing_reads_is_kept(accuracies):
    history: list[Round] = []
    kept = {0}
    for report in toy_history(accuracies, noise=0.05):
        history = judged_and_adjusted(history, report, spec=SPEC)
        kept = (kept | {report.round}) & needed_rounds(history)
        read = {start_round(history), history[-1].verdict.best_round, *mean_of_rounds(history)}
        assert read <= kept
        assert len(kept) <= 7
