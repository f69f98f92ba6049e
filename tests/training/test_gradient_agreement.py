import numpy as np
import pytest

from metamapping.training.gradient_agreement import (
    MAX_SOURCES,
    GradientSums,
    gradient_cosines,
    measured_sources,
)


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
    few = [f"source {i}" for i in range(MAX_SOURCES)]
    assert measured_sources(few, seed=0, round_number=1) == few
    many = [f"source {i}" for i in range(1_000)]
    first, again, second = (
        measured_sources(many, 0, 1),
        measured_sources(many, 0, 1),
        measured_sources(many, 0, 2),
    )
    assert first == again != second
    assert len(set(first)) == len(set(second)) == MAX_SOURCES
    assert {*first, *second} <= {*many}


def test_batches_of_a_source_count_alike_however_large_their_gradients_are():
    sums = GradientSums(["a", "b", "c"])
    for source, *gradient in [("a", 9, 0), ("a", 0, 1), ("b", 1, 0), ("c", 0, 1), ("other", 1, 1)]:
        sums.add(source, np.array(gradient, np.float32))
    sums.add("b", np.array([np.nan, 0.0], np.float32))
    sums.add("b", np.zeros(2, np.float32))
    assert set(sums.sums) == {"a", "b", "c"}
    np.testing.assert_allclose(sums.sums["a"], [1, 1])
    assert sums.cosines()["a"] == pytest.approx(1.0)


def test_two_sources_have_no_agreement():
    sums = GradientSums(["a", "b"], {"a": np.ones(2), "b": np.ones(2)})
    assert sums.cosines() == {}
