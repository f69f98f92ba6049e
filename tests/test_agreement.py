import numpy as np
import pytest

from metamapping.agreement import agreements_of


def test_the_source_that_pulls_the_other_way_agrees_least():
    along, against = np.array([1.0, 0.0]), np.array([-3.0, 0.0])
    found = agreements_of({"coffee": along, "books": 2 * along, "poison": against})
    assert found["poison"] == pytest.approx(-1.0)
    assert min(found, key=found.get) == "poison"


def test_agreement_is_the_cosine_with_the_sum_of_the_others_at_unit_length():
    found = agreements_of({"a": np.array([1.0, 0.0]), "b": np.array([0.0, 5.0]), "c": np.array([9.0, 0.0])})
    assert found == pytest.approx({"a": 1 / np.sqrt(2), "b": 0.0, "c": 1 / np.sqrt(2)})


def test_a_source_without_a_finite_direction_has_no_agreement():
    found = agreements_of(
        {"a": np.array([1.0]), "b": np.array([2.0]), "c": np.zeros(1), "d": np.array([np.nan])}
    )
    assert set(found) == {"a", "b"}
