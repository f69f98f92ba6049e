"""Texts that share rows: each has positions of its own, in few rows."""

import numpy as np
import pytest

from metamapping.episodes.packing import pack_texts


def lengths_of(seed, num_texts=64, num_empty=0):
    drawn = np.sort(np.random.default_rng(seed).geometric(0.08, num_texts) + 2)
    return np.concatenate([drawn, np.ones(num_empty, np.int64)])


def groups_of(lengths):
    packing = pack_texts(lengths)
    firsts = [0, *packing["packed_ends"][:-1]]
    for first, end, shape in zip(firsts, packing["packed_ends"], packing["packed_shapes"], strict=True):
        yield lengths[first:end], packing["packed_starts"][first:end], shape


@pytest.mark.parametrize("num_empty", [0, 3])
@pytest.mark.parametrize("seed", range(5))
def test_texts_do_not_overlap_and_end_in_the_row_in_which_they_begin(seed, num_empty):
    for lengths, starts, (num_rows, row_length) in groups_of(lengths_of(seed, num_empty=num_empty)):
        taken = np.concatenate([np.arange(n) + start for n, start in zip(lengths, starts, strict=True)])
        assert len(set(taken)) == len(taken) == lengths.sum()
        assert ((starts + lengths - 1) // row_length == starts // row_length).all()
        assert set(starts // row_length) == set(range(num_rows))
        assert row_length >= lengths.max()


def test_little_is_left_over():
    tokens = positions = 0
    for seed in range(20):
        lengths = lengths_of(seed)
        tokens += lengths.sum()
        positions += sum(int(shape.prod()) for _, _, shape in groups_of(lengths))
    assert positions < 1.1 * tokens


def test_a_text_much_longer_than_the_others_has_a_group_of_its_own():
    lengths = np.asarray([*[20] * 63, 500])
    _, (of_long, _, shape) = groups_of(lengths)
    assert of_long.tolist() == [500]
    assert shape.tolist() == [1, 500]


def test_a_single_text_is_one_group():
    ((lengths, starts, shape),) = groups_of(np.asarray([7]))
    assert (lengths.tolist(), starts.tolist(), shape.tolist()) == ([7], [0], [1, 7])
