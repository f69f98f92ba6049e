"""Simpler methods: each separates what is separable, and the choice of C comes from the examples alone."""

import numpy as np
import pytest

from benchmarks.simpler import STANDARD_C, ValidatedRegression, _choose_c, simpler_methods

RNG = np.random.default_rng(0)
CENTRES = np.eye(8)[:3]
LABELS = ["a", "b", "c"] * 6
FEATURES = np.tile(CENTRES, (6, 1)) + 0.05 * RNG.normal(size=(18, 8))


@pytest.mark.parametrize("name", simpler_methods())
def test_each_method_separates_what_is_separable(name):
    predicted = simpler_methods()[name](FEATURES, LABELS, CENTRES)
    assert predicted.tolist() == ["a", "b", "c"]


def test_with_one_example_of_a_label_c_is_the_standard_one():
    assert _choose_c(FEATURES[:4], LABELS[:4]) == STANDARD_C


def test_c_is_chosen_once_for_all_draws_of_a_task(monkeypatch):
    calls = []
    monkeypatch.setattr("benchmarks.simpler._choose_c", lambda *given: calls.append(given) or 10.0)
    method = ValidatedRegression()
    for _ in range(3):
        method(FEATURES, LABELS, CENTRES)
    assert len(calls) == 1
