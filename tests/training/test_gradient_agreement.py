import numpy as np
import pytest

from metamapping.training.gradient_agreement import MAX_SOURCES, gradient_cosines, measured_sources


def test_a_source_with_an_opposite_gradient_agrees_least():
    along, against = np.array([1.0, 0.0]), np.array([-3.0, 0.0])
    found = gradient_cosines({"coffee": along, "books": 2 * along, "poison": against})
    assert found["poison"] == pytest.approx(-1.0)
    assert min(found, key=found.get) == "poison"


def test_agreement_is_the_cosine_with_the_sum_of_the_other_unit_gradients():
    found = gradient_cosines(
        {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 5.0]), "c": np.array([9.0, 0.0])}
    )
    assert found == pytest.approx({"a": 1 / np.sqrt(2), "b": 0.0, "c": 1 / np.sqrt(2)})


def test_a_source_without_a_finite_nonzero_gradient_has_no_agreement():
    found = gradient_cosines(
        {"a": np.array([1.0]), "b": np.array([2.0]), "c": np.zeros(1), "d": np.array([np.nan])}
    )
    assert set(found) == {"a", "b"}


def test_few_sources_are_all_measured_and_many_are_sampled_each_round():
    assert measured_sources(MAX_SOURCES, seed=0, round_number=1) == list(range(MAX_SOURCES))
    first, again, second = (
        measured_sources(1_000, 0, 1),
        measured_sources(1_000, 0, 1),
        measured_sources(1_000, 0, 2),
    )
    assert first == again != second
    assert len(set(first)) == len(set(second)) == MAX_SOURCES
    assert {0 <= number < 1_000 for number in (*first, *second)} == {True}
