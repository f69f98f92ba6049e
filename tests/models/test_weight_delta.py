import numpy as np
import pytest

from metamapping.models.weight_delta import WeightDelta


def change(rank=2):
    rng = np.random.default_rng(0)
    base = {"kernel": rng.normal(size=(6, 5)).astype("f4"), "bias": rng.normal(size=5).astype("f4")}
    low_rank = (rng.normal(size=(6, 2)) @ rng.normal(size=(2, 5))).astype("f4")
    tuned = {"kernel": base["kernel"] + low_rank, "bias": base["bias"] + 0.5}
    return base, tuned, WeightDelta.between(base, tuned, rank=rank)


def test_a_change_of_low_rank_is_kept_within_the_rounding_of_float16():
    base, tuned, delta = change()
    added = delta.added_to(base)
    for name in tuned:
        np.testing.assert_allclose(added[name], tuned[name], atol=0.01)
        assert added[name].dtype == np.float32


def test_a_share_of_a_change_lies_between_the_weights():
    base, tuned, delta = change()
    half = delta.scaled(0.5).added_to(base)
    np.testing.assert_allclose(half["kernel"], (base["kernel"] + tuned["kernel"]) / 2, atol=0.01)
    np.testing.assert_allclose(half["bias"], base["bias"] + 0.25, atol=0.001)


def test_the_arrays_of_a_file_give_the_same_delta():
    base, _, delta = change()
    again = WeightDelta.from_arrays(delta.to_arrays())
    for name, array in delta.added_to(base).items():
        np.testing.assert_array_equal(again.added_to(base)[name], array)


@pytest.mark.parametrize(
    "damage",
    [
        {"left/kernel": np.zeros((6, 3), "f2")},
        {"left/other": np.zeros((6, 2), "f2")},
        {"vector/bias": np.full(5, np.nan, "f2")},
        {"vector/bias": np.zeros(5, "f4")},
        {"anything": np.zeros(5, "f2")},
    ],
)
def test_damaged_arrays_are_refused(damage):
    _, _, delta = change()
    with pytest.raises(ValueError, match="its tuned weight"):
        WeightDelta.from_arrays(delta.to_arrays() | damage)


def test_a_delta_of_another_encoder_is_refused():
    base, _, delta = change()
    delta.check_fits({name: array.shape for name, array in base.items()})
    with pytest.raises(ValueError, match="not those of this encoder"):
        delta.check_fits({"kernel": (6, 5)})
    with pytest.raises(ValueError, match="'kernel'"):
        delta.check_fits({"kernel": (6, 6), "bias": (5,)})
