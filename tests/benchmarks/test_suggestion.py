"""The benchmark of suggested texts: how many of them are worth as much as others."""

import numpy as np
import pytest

from benchmarks.suggestion import SHOTS, labels_needed


def test_the_needed_labels_lie_on_the_curve():
    suggested = np.array([0.5, 0.6, 0.7, 0.8, np.nan])
    other = np.array([0.4, 0.5, 0.65, 0.9, np.nan])
    needed = labels_needed(suggested, other)
    assert needed[:2] == [0.0, SHOTS[0]]
    assert needed[2] == pytest.approx(np.sqrt(SHOTS[1] * SHOTS[2]))
    assert needed[3] == np.inf
    assert np.isnan(needed[4])


def test_a_curve_that_falls_counts_as_its_highest_so_far():
    needed = labels_needed(np.array([0.5, 0.7, 0.6, 0.8, 0.9]), np.array([0.65] * 5))
    assert all(SHOTS[0] < each < SHOTS[1] for each in needed)
