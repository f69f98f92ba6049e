"""Groups of texts of similar length: each text once, within the padding limit or with the least."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from metamapping.episodes.length_groups import by_length, group_ends


def lengths_of(seed, count):
    return np.random.default_rng(seed).geometric(0.1, count)


def padding_of(lengths):
    return len(lengths) * lengths.max() - lengths.sum()


class TestByLength:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("padding", [None, 0, 32])
    def test_every_text_is_in_one_group_shortest_first(self, seed, padding):
        lengths = lengths_of(seed, 150)
        groups = list(by_length(lengths, max_size=64, max_padding=padding))
        assert sorted(np.concatenate(groups)) == list(range(150))
        assert (np.diff(lengths[np.concatenate(groups)]) >= 0).all()
        assert max(map(len, groups)) <= 64

    @pytest.mark.parametrize("padding", [0, 5, 32])
    def test_no_group_exceeds_the_padding_and_none_could_be_larger(self, padding):
        lengths = lengths_of(0, 150)
        groups = list(by_length(lengths, max_size=64, max_padding=padding))
        assert max(padding_of(lengths[group]) for group in groups) <= padding
        for group, after in pairwise(groups):
            longer = lengths[[*group, after[0]]]
            assert len(longer) > 64 or padding_of(longer) > padding

    def test_without_a_limit_on_padding_only_the_size_counts(self):
        groups = list(by_length(lengths_of(0, 150), max_size=64, max_padding=None))
        assert [len(group) for group in groups] == [64, 64, 22]

    def test_no_texts_give_no_groups(self):
        assert list(by_length(np.zeros(0, np.int64), max_size=64, max_padding=32)) == []


class TestGroupEnds:
    @pytest.mark.parametrize("num_groups", [1, 2, 3, 4])
    @pytest.mark.parametrize("seed", range(5))
    def test_no_other_split_has_less_padding(self, seed, num_groups):
        # Texts in order of length, followed by empty rows of a batch.
        lengths = np.concatenate([np.sort(lengths_of(seed, 8)), [1, 1]])

        def padded(ends):
            return sum((end - first) * lengths[first:end].max() for first, end in pairwise([0, *ends]))

        ends = group_ends(lengths, num_groups)
        assert ends.shape == (num_groups,)
        others = [(*cuts, 10) for cuts in combinations(range(1, 10), num_groups - 1)]
        assert padded(ends) == min(map(padded, others))

    def test_with_as_many_groups_as_texts_each_text_is_a_group(self):
        assert group_ends(np.asarray([3, 3, 9]), 3).tolist() == [1, 2, 3]
