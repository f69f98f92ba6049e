"""Files of numbers: appended to, mapped, and closed."""

import numpy as np
import pytest

from metamapping.storage.flat_arrays import append_array, map_array


def test_values_are_those_that_were_appended(tmp_path):
    for part in ([1, 2], [], [3]):
        append_array(tmp_path / "numbers", np.array(part, np.uint64))
    mapped = map_array(tmp_path / "numbers", np.uint64)
    assert mapped.tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 5


def test_a_file_without_values_is_an_empty_array(tmp_path):
    append_array(tmp_path / "numbers", np.empty((0, 3), np.int32))
    for name in ("numbers", "missing"):
        assert map_array(tmp_path / name, np.int32).shape == (0,)


def test_values_stay_after_the_file_was_removed(tmp_path):
    append_array(tmp_path / "numbers", np.arange(10_000))
    mapped = map_array(tmp_path / "numbers", np.int64)
    (tmp_path / "numbers").unlink()
    assert mapped.sum() == 9_999 * 5_000
