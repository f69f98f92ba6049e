from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metamapping.config.episodes import EpisodeSpec
from metamapping.config.rounds import AdjustmentSpec, ConvergenceSpec, MoveName
from metamapping.config.training import TrainingSpec
from metamapping.rounds.adjustment import adjust
from metamapping.rounds.moves import MOVES
from metamapping.rounds.next_round import mean_of_rounds, settings_of, start_round, training_of_mean
from metamapping.rounds.records import Round, RoundReport
from metamapping.rounds.settings import MAX_SHOTS, MAX_WAYS, SOURCE_WEIGHT, AdjustableSettings
from metamapping.rounds.statistics import weakest_shots, weakest_ways
from metamapping.rounds.verdict import judge
from tests.toy_rounds import toy_history, toy_report

CONFIGURED = AdjustableSettings(
    training=TrainingSpec(learning_rate=1e-3), episodes=EpisodeSpec(max_shots=4), trainable_layers=2
)
CONVERGENCE = ConvergenceSpec(max_rounds=99, patience=99)


def run_loop(reports: list[RoundReport], spec: AdjustmentSpec, convergence=CONVERGENCE) -> list[Round]:
    """The history after judging and adjusting after each report, with means of rounds where they are due."""
    history: list[Round] = []
    for report in reports:
        if history and history[-1].verdict.is_final:
            break
        if shares := mean_of_rounds(history):
            mean = training_of_mean([judged.report for judged in history], shares)
            report = report.model_copy(update={"training": mean})
        verdict = judge([*(judged.report for judged in history), report], convergence)
        changes = adjust(history, report, verdict, CONFIGURED, spec)
        history.append(Round(report=report, verdict=verdict, adjustments=changes))
    return history


def only(move: str, **bounds: float) -> AdjustmentSpec:
    return AdjustmentSpec(moves=[move], **bounds)


def moves(history: list[Round]) -> list[str]:
    return [judged.move for judged in history]


def with_training(report: RoundReport, **changes: object) -> RoundReport:
    return report.model_copy(update={"training": report.training.model_copy(update=changes)})


def falling(*levels: float) -> list[RoundReport]:
    """Rounds with these training losses and with unchanged validation scores."""
    return [
        toy_report(i + 1, 0.6, source_losses=dict.fromkeys("abc", level)) for i, level in enumerate(levels)
    ]


def test_every_move_that_may_be_configured_is_in_the_registry():
    assert set(MOVES) == set(get_args(MoveName)) == set(AdjustmentSpec().moves)


def test_good_rounds_are_averaged_but_not_twice_in_a_row():
    history = run_loop(toy_history([0.6] * 4), only("average"))
    assert moves(history) == ["", "average", "", "average"]
    assert mean_of_rounds(history[:2]) == {1: 1 / 2, 2: 1 / 2}
    assert mean_of_rounds(history) == {1: 1 / 3, 2: 1 / 3, 4: 1 / 3}
    assert start_round(history[:2]) == 1


def slightly_better_rounds(num_rounds: int) -> list[RoundReport]:
    """Each round is the current best, but one source gains and the other loses, so no gain is probable."""
    return toy_history([{"hotel": 0.6 + 0.05 * i, "bank": 0.6 - 0.045 * i} for i in range(num_rounds)])


def test_where_later_training_brought_nothing_the_best_rounds_change_is_scaled_down_then_up_once_each():
    history = run_loop(toy_history([0.6] * 6), only("scale"))
    assert moves(history) == ["", "scale to 50%", "scale to 150%", "", "", ""]
    assert mean_of_rounds(history[:2]) == {0: 0.5, 1: 0.5}
    assert mean_of_rounds(history[:3]) == {0: -0.5, 1: 1.5}
    assert [judged.report.training.shares for judged in history[2:4]] == [[0.5, 0.5], [-0.5, 1.5]]
    assert "would 50% of the change from training do better?" in history[1].adjustments[-1].why


def test_where_the_last_training_is_best_its_change_is_scaled_up_first():
    history = run_loop(slightly_better_rounds(2), only("scale"))
    assert history[1].verdict.leading_round == 2
    assert moves(history) == ["", "scale to 150%"]
    assert mean_of_rounds(history) == {0: -0.5, 2: 1.5}


def test_a_best_round_that_is_a_mean_is_not_scaled():
    history = run_loop(slightly_better_rounds(3), only("scale"))
    assert history[2].verdict.leading_round == 3
    assert moves(history) == ["", "scale to 150%", ""]


def test_diverged_rounds_and_rounds_before_the_last_gain_are_not_averaged():
    reports = toy_history([0.55, 0.6, 0.6])
    reports[2] = with_training(reports[2], loss=math.nan)
    history = run_loop([*reports, toy_report(4, 0.6)], only("average"))
    assert moves(history)[2] == ""
    assert list(mean_of_rounds(history)) == [2, 4]


def test_a_mean_of_rounds_does_not_count_towards_the_patience():
    history = run_loop(toy_history([0.6] * 9), only("average"), ConvergenceSpec(max_rounds=99, patience=2))
    assert [bool(judged.report.training.averaged) for judged in history] == [False, False, True, False]
    assert history[-1].verdict.state == "CONVERGED"


def test_training_is_regularised_where_its_losses_fall_without_a_validation_gain():
    history = run_loop(falling(1.0, 0.8), only("regularise"))
    assert settings_of(CONFIGURED, history).training.weight_decay == pytest.approx(0.1)
    assert "training losses fell to 80%" in history[-1].adjustments[-1].why
    assert moves(run_loop(falling(1.0, 0.98), only("regularise"))) == ["", ""]


def test_weight_decay_stops_at_its_bound_and_is_reverted_without_a_gain():
    spec = only("regularise", max_weight_decay=0.05)
    assert settings_of(CONFIGURED, run_loop(falling(1.0, 0.8), spec)).training.weight_decay == 0.05
    history = run_loop(falling(1.0, 0.8, 0.8), spec)
    assert settings_of(CONFIGURED, history).training.weight_decay == 0.01
    assert "reverted" in history[-1].adjustments[-1].why


def test_one_more_layer_is_trained_where_training_has_stalled_and_a_layer_is_frozen():
    stalled = [with_training(report, frozen_layers=1) for report in falling(1.0, 0.99)]
    assert settings_of(CONFIGURED, run_loop(stalled, only("unfreeze"))).trainable_layers == 3
    assert moves(run_loop(falling(1.0, 0.99), only("unfreeze"))) == ["", ""]
    moving = [with_training(report, frozen_layers=1) for report in falling(1.0, 0.9)]
    assert moves(run_loop(moving, only("unfreeze"))) == ["", ""]


def by_shots(round_number: int, **gains: float) -> RoundReport:
    """A report at 1, 4 and 8 shots; ``gains`` over the untrained encoder of ``k1``, ``k4``, ``k8``."""
    report = toy_report(round_number, 0.6)
    cells = []
    for number, source in enumerate(("hotel", "bank", "shop")):
        for k in (0, 1, 4, 8):
            cell = report.cells[0]
            gain = gains.get(f"k{k}", 0.0) * (1 + 0.05 * number)
            scores = [score + gain for score in cell.baseline]
            cells.append(cell.model_copy(update={"source": source, "shots": k, "scores": scores}))
    return report.model_copy(update={"cells": cells})


@pytest.mark.parametrize(
    ("gains", "weakest", "max_shots"),
    [
        ({"k1": 0.02, "k4": 0.1, "k8": 0.1}, 1, 2),
        ({"k1": 0.1, "k4": 0.1, "k8": 0.02}, 8, 8),
        ({"k1": 0.1, "k4": 0.02, "k8": 0.1}, None, 4),
        ({"k1": 0.1, "k4": 0.1, "k8": 0.1}, None, 4),
    ],
)
def test_shots_change_towards_the_weakest_validation(gains, weakest, max_shots):
    reports = [by_shots(number, **gains) for number in (1, 2)]
    assert weakest_shots(reports[1]) == weakest
    history = run_loop(reports, only("shots"))
    assert settings_of(CONFIGURED, history).episodes.max_shots == max_shots


def test_shots_stop_at_their_bounds():
    few = [by_shots(number, k1=0.02, k4=0.1, k8=0.1) for number in (1, 2)]
    many = [by_shots(number, k1=0.1, k4=0.1, k8=0.02) for number in (1, 2)]
    assert settings_of(CONFIGURED, run_loop(few, only("shots", min_shots=3))).episodes.max_shots == 3
    assert settings_of(CONFIGURED, run_loop(many, only("shots", max_shots=5))).episodes.max_shots == 5
    assert moves(run_loop(many, only("shots", max_shots=2))) == ["", ""]


def by_ways(round_number: int, few: float, many: float) -> RoundReport:
    """A report of three sources with two labels and three with five, which have these gains."""
    cells = []
    for number in range(3):
        for ways, gain in ((2, few), (5, many)):
            cell = toy_report(round_number, 0.6).cells[0]
            scores = [score + gain * (1 + 0.05 * number) for score in cell.baseline]
            cells.append(
                cell.model_copy(update={"source": f"{ways}-{number}", "ways": ways, "scores": scores})
            )
    return toy_report(round_number, 0.6).model_copy(update={"cells": cells})


@pytest.mark.parametrize(
    ("few", "many", "weakest", "max_ways"), [(0.02, 0.1, 2, 6), (0.1, 0.02, 5, 24), (0.1, 0.1, None, 12)]
)
def test_ways_change_towards_the_weakest_validation(few, many, weakest, max_ways):
    reports = [by_ways(number, few, many) for number in (1, 2)]
    assert weakest_ways(reports[1]) == weakest
    history = run_loop(reports, only("ways"))
    assert settings_of(CONFIGURED, history).episodes.max_ways == max_ways


def test_ways_stop_at_their_bounds_and_need_two_sources_with_few_and_two_with_many_labels():
    few = [by_ways(number, 0.02, 0.1) for number in (1, 2)]
    assert settings_of(CONFIGURED, run_loop(few, only("ways", min_ways=8))).episodes.max_ways == 8
    assert moves(run_loop(few, only("ways", min_ways=12))) == ["", ""]
    one = few[1].model_copy(update={"cells": [c for c in few[1].cells if c.ways == 2 or c.source == "5-0"]})
    assert weakest_ways(one) is None


def with_similarities(**similarities: float) -> list[RoundReport]:
    """Stalled rounds in which the sources' gradients have these cosine similarities to the others'."""
    return [with_training(report, agreements=similarities) for report in falling(1.0, 1.0, 1.0, 1.0)]


def test_the_source_that_conflicts_with_the_others_is_removed_first():
    history = run_loop(with_similarities(a=0.5, b=-0.6, c=0.4), AdjustmentSpec(moves=["without", "settle"]))
    assert moves(history)[1:3] == ["without b", "settle"]
    assert "cosine similarity -0.60 with the others'" in history[1].adjustments[-1].why


def test_sources_that_do_not_conflict_are_removed_last_of_all():
    history = run_loop(with_similarities(a=0.5, b=0.3, c=0.4), AdjustmentSpec(moves=["without", "settle"]))
    assert moves(history)[1:] == ["settle", "without b", "without c"]


ROUNDS = st.lists(
    st.tuples(
        st.floats(0.3, 0.8),
        st.one_of(st.floats(0.1, 3), st.just(math.nan)),
        st.floats(-1, 1),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=15)
@given(ROUNDS, st.integers(1, 9), st.integers(1, 3))
def test_with_all_moves_every_run_ends_within_its_bounds_and_is_deterministic(rounds, most, patience):
    reports = [
        with_training(
            toy_report(i + 1, accuracy, loss=loss, source_losses={"a": loss, "b": 1 / (i + 1), "c": 1.0}),
            agreements={"a": agreement, "b": -agreement, "c": 0.0},
            frozen_layers=frozen,
        )
        for i, (accuracy, loss, agreement, frozen) in enumerate(rounds)
    ]
    spec, convergence = AdjustmentSpec(), ConvergenceSpec(max_rounds=most, patience=patience)
    history = run_loop(reports, spec, convergence)
    assert len(history) <= most
    assert len(history) < most or history[-1].verdict.is_final
    again = run_loop(reports, spec, convergence)
    assert [judged.model_dump_json() for judged in again] == [judged.model_dump_json() for judged in history]
    for n, judged in enumerate(history, start=1):
        # No decision depends on later rounds.
        assert run_loop(reports[:n], spec, convergence)[-1].adjustments == judged.adjustments
        assert len({a.move for a in judged.adjustments} - {""}) <= 1
        values = settings_of(CONFIGURED, history[:n]).values
        assert 0 < values["learning_rate"] <= 1e-3
        assert 0.01 <= values["weight_decay"] <= spec.max_weight_decay
        assert spec.min_shots <= values[MAX_SHOTS] <= spec.max_shots
        assert spec.min_ways <= values[MAX_WAYS] <= spec.max_ways
        for name, weight in values.items():
            if name.startswith(SOURCE_WEIGHT):
                assert spec.min_source_weight <= weight <= spec.max_source_weight
        shares = mean_of_rounds(history[:n])
        assert sum(shares.values()) == pytest.approx(1.0 if shares else 0.0)
        for number, share in shares.items():
            assert 0 <= number <= n
            assert number == 0 or not history[number - 1].verdict.diverged
            assert -0.5 <= share <= 1.5
