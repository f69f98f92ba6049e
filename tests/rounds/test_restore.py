"""The move `restore`: after a round that cost one source too much, less of what it changed is measured."""

import pytest

from metamapping.config.rounds import AdjustmentSpec, ConvergenceSpec
from metamapping.rounds.next_round import mean_of_rounds, needed_rounds, start_round
from metamapping.rounds.verdict import judge
from tests.rounds.test_moves import moves, run_loop
from tests.toy_rounds import toy_report

# A round may cost a source at most one point of accuracy.
CONVERGENCE = ConvergenceSpec(max_rounds=99, patience=99, max_source_fall=0.01)
RESTORE = AdjustmentSpec(moves=["restore"])


def rounds(*accuracies: tuple[float, float]):
    """Rounds with these accuracies on three sources of reviews and one of topics; untrained they have 0.5."""
    return [
        toy_report(number, dict.fromkeys(("hotel", "books", "music"), reviews) | {"topics": topics})
        for number, (reviews, topics) in enumerate(accuracies, start=1)
    ]


def test_half_of_a_change_that_made_a_source_fall_is_measured_then_a_quarter():
    history = run_loop(rounds((0.8, 0.4), (0.7, 0.45), (0.6, 0.5)), RESTORE, CONVERGENCE)
    assert moves(history) == ["restore to 50%", "restore to 25%", ""]
    assert [mean_of_rounds(history[:n]) for n in (1, 2)] == [{0: 0.5, 1: 0.5}, {0: 0.75, 1: 0.25}]
    assert [judged.verdict.state for judged in history] == ["DIVERGED", "DIVERGED", "IMPROVING"]
    assert history[-1].verdict.best_round == 3


def test_what_half_the_change_brings_is_kept_and_training_goes_on_from_there():
    history = run_loop(rounds((0.8, 0.4), (0.7, 0.5)), RESTORE, CONVERGENCE)
    assert moves(history) == ["restore to 50%", ""]
    assert history[-1].verdict.best_round == start_round(history) == 2
    assert mean_of_rounds(history) == {}


def test_the_way_back_ends_at_the_best_round_before():
    history = run_loop(rounds((0.7, 0.5), (0.9, 0.4)), RESTORE, CONVERGENCE)
    assert moves(history) == ["", "restore to 50%"]
    assert mean_of_rounds(history) == {1: 0.5, 2: 0.5}


def test_a_quarter_that_still_costs_too_much_is_given_up():
    history = run_loop(rounds((0.8, 0.3), (0.7, 0.4), (0.6, 0.45)), RESTORE, CONVERGENCE)
    assert moves(history) == ["restore to 50%", "restore to 25%", ""]
    assert history[-1].verdict.best_round == 0


def test_a_fall_within_the_limit_is_not_restored():
    history = run_loop(rounds((0.8, 0.495), (0.8, 0.495)), RESTORE, CONVERGENCE)
    assert moves(history) == ["", ""]


def test_the_checkpoints_of_both_means_are_kept():
    history = run_loop(rounds((0.8, 0.4), (0.7, 0.45)), RESTORE, CONVERGENCE)
    for number in (1, 2):
        assert {0, 1} <= needed_rounds(history[:number])


def test_it_is_tried_before_all_other_moves():
    history = run_loop(rounds((0.8, 0.4)), AdjustmentSpec(), CONVERGENCE)
    assert moves(history) == ["restore to 50%"]
    assert "would 50% of the change cost no source too much?" in history[0].adjustments[-1].why


@pytest.mark.parametrize(("topics", "costs"), [(0.45, True), (0.5, False)])
def test_the_verdict_names_what_the_best_round_costs(topics, costs):
    verdict = judge(rounds((0.8, topics)), ConvergenceSpec())
    assert verdict.best_round == 1
    expected = "It costs, against the encoder before meta-training: 'topics' -0.050"
    assert (expected in verdict.sentence) is costs
    assert "'hotel'" not in verdict.sentence.partition("It costs")[2]
