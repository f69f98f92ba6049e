from __future__ import annotations

import math

import numpy as np
import pytest

from metamapping.rounds.intervals import Estimate, bootstrap_mean, mean_with_interval


def test_students_interval_matches_a_table():
    estimate = mean_with_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    # t(4, 0.975) = 2.776; s = sqrt(2.5)
    assert estimate.mean == 3.0
    assert estimate.high - 3.0 == pytest.approx(2.776 * math.sqrt(2.5 / 5), abs=1e-3)
    assert 3.0 - estimate.low == pytest.approx(estimate.high - 3.0)


def test_a_single_value_has_no_interval_and_is_not_a_gain():
    estimate = mean_with_interval([0.7])
    assert math.isnan(estimate.low)
    assert not estimate.is_gain
    assert not estimate.is_loss


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_neither_gain_nor_loss(bad):
    for estimate in (mean_with_interval([9.0, bad]), bootstrap_mean([[np.array([9.0, bad])]])):
        assert math.isnan(estimate.mean)
        assert not estimate.is_gain
        assert not estimate.is_loss


def test_a_rounding_error_is_neither_gain_nor_loss():
    new, old = [(0.1 + 0.2) + 0.3] * 9, [0.1 + (0.2 + 0.3)] * 9
    for values in (np.subtract(new, old), np.subtract(old, new)):
        assert values[0] != 0
        assert not bootstrap_mean([[values]]).is_gain
        assert not bootstrap_mean([[values]]).is_loss


def test_an_interval_of_no_scores_is_rejected():
    with pytest.raises(ValueError, match="at least one score"):
        mean_with_interval([])


def test_the_bootstrap_of_one_source_matches_the_normal_interval():
    values = np.random.default_rng(0).normal(0.1, 0.2, size=400)
    estimate = bootstrap_mean([[values]])
    half = 1.96 * values.std() / 20
    assert estimate.mean == pytest.approx(values.mean())
    assert estimate.high - estimate.mean == pytest.approx(half, rel=0.1)
    assert estimate.mean - estimate.low == pytest.approx(half, rel=0.1)


def test_sources_have_equal_weight_regardless_of_their_cells_and_episodes():
    large = [np.zeros(100), np.zeros(100), np.zeros(100)]
    assert bootstrap_mean([large, [np.ones(5)]]).mean == 0.5


def test_sources_that_disagree_widen_only_the_interval_over_sources():
    groups = [[np.full(50, 0.3)], [np.full(50, -0.1)], [np.full(50, 0.1)]]
    over_sources = bootstrap_mean(groups)
    assert over_sources.low < 0 < over_sources.high
    over_episodes = bootstrap_mean(groups, population="episodes")
    assert over_episodes.low == pytest.approx(0.1)
    assert over_episodes.is_gain


def test_the_bootstrap_is_deterministic_and_does_not_touch_the_global_generator():
    groups = [[np.random.default_rng(i).normal(size=20)] for i in range(3)]
    before = np.random.get_state()[1].copy()
    assert bootstrap_mean(groups) == bootstrap_mean(groups)
    assert (np.random.get_state()[1] == before).all()


def test_a_bootstrap_of_nothing_is_rejected():
    with pytest.raises(ValueError, match="at least one source"):
        bootstrap_mean([])
    with pytest.raises(ValueError, match="at least one source"):
        bootstrap_mean([[]])


def test_an_estimate_with_nan_is_the_same_after_json():
    estimate = Estimate(mean=0.5, low=float("nan"), high=float("nan"))
    again = Estimate.model_validate_json(estimate.model_dump_json())
    assert again.mean == 0.5
    assert math.isnan(again.low)
