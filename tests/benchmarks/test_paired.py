"""Paired comparisons: intervals, outcomes of cells, counts and the names of losses."""

import numpy as np
import pytest
from scipy import stats

from benchmarks.paired import compare, count_outcomes, family_confidence, losses, mean_gain, outcome

AHEAD = {"ours": [0.80, 0.82, 0.81], "a": [0.70, 0.71, 0.72], "b": [0.60, 0.63, 0.61]}
BEHIND_ONE = {"ours": [0.70, 0.71, 0.72], "a": [0.60, 0.61, 0.62], "b": [0.80, 0.82, 0.81]}
NOISE = {"ours": [0.70, 0.80, 0.75], "a": [0.80, 0.70, 0.75], "b": [0.60, 0.60, 0.60]}
CELLS = {("news", 4): AHEAD, ("news", 8): NOISE, ("shop", 4): BEHIND_ONE}


def test_the_interval_is_that_of_a_paired_t_test():
    ours, other = [0.9, 0.8, 0.85, 0.7], [0.7, 0.75, 0.8, 0.72]
    expected = stats.ttest_rel(ours, other).confidence_interval(0.95)
    difference = compare({"ours": ours, "other": other}, "ours", "other")
    assert difference.mean == pytest.approx(0.055 + 0.015)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))


def test_a_cell_is_won_only_against_all_methods():
    assert outcome(AHEAD, "ours", ["a", "b"]) == "win"
    assert outcome(NOISE, "ours", ["a", "b"]) == "tie"
    assert outcome(NOISE, "ours", ["b"]) == "win"


def test_a_cell_is_lost_if_any_method_is_ahead():
    assert outcome(BEHIND_ONE, "ours", ["a", "b"]) == "loss"
    assert outcome(BEHIND_ONE, "ours", ["a"]) == "win"


def test_equal_methods_tie():
    cell = {"ours": [0.5, 0.5, 0.5], "a": [0.5, 0.5, 0.5]}
    assert outcome(cell, "ours", ["a"]) == "tie"


def test_outcomes_are_counted_over_cells():
    counts = count_outcomes(CELLS, "ours", ["a", "b"])
    assert (counts["win"], counts["tie"], counts["loss"]) == (1, 1, 1)


def test_every_loss_is_named_with_its_interval():
    (line,) = losses(CELLS, "ours", ["a", "b"])
    assert line.startswith("shop, 4: 71.0, b 81.0, -10.0 [-12.5, -7.5]")


def test_a_star_marks_losses_that_hold_for_all_comparisons_together():
    clear = {"ours": [0.5, 0.5001, 0.5, 0.5001], "a": [0.9, 0.9, 0.9, 0.9]}
    unclear = {"ours": [0.5, 0.5, 0.5, 0.5], "a": [0.54, 0.56, 0.64, 0.66]}
    lines = losses({("clear", 1): clear, ("unclear", 1): unclear}, "ours", ["a"])
    assert [line.endswith("*") for line in lines] == [True, False]


def test_together_all_intervals_hold_with_95_percent():
    assert 20 * (1 - family_confidence(20)) == pytest.approx(0.05)


def test_each_source_has_equal_weight_in_the_mean_gain():
    gain = mean_gain(CELLS, "ours", "b")
    news = (np.mean(np.subtract(AHEAD["ours"], AHEAD["b"])) + 0.15) / 2
    assert gain.mean == pytest.approx((news - 0.1) / 2)
    assert gain.low <= gain.mean <= gain.high
