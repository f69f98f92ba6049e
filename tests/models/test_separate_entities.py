"""Entities of which none directly follows another: decoding and probabilities against brute force."""

import itertools

import numpy as np
import pytest

from metamapping.models.probabilities import softmax
from metamapping.models.separate_entities import are_separate, decode_separately, separate_probabilities
from metamapping.models.viterbi import decode_words, entity_probabilities
from tests.models.test_viterbi import total_score


def test_an_entity_has_one_type_that_fits_all_of_its_words():
    scores = np.array([[0.0, 0.9, 0.1], [0.0, 0.2, 0.8], [0.0, 0.1, 0.9], [1.0, 0.0, 0.0], [0.0, 0.6, 0.5]])
    assert decode_words(scores).tolist() == [1, 2, 2, 0, 1]
    assert decode_separately(scores).tolist() == [2, 2, 2, 0, 1]


def test_types_that_compete_do_not_end_an_entity():
    scores = np.array([[0.3, 0.7, 0.2], [0.3, 0.2, 0.7], [0.3, 0.7, 0.2], [0.9, 0.0, 0.0]])
    assert decode_words(scores, entity_penalty=0.15).tolist() == [1, 2, 1, 0]
    assert decode_separately(scores).tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_each_entity_has_one_type_and_with_a_single_type_nothing_changes(seed):
    scores = np.random.default_rng(seed).normal(scale=0.4, size=(30, 5))
    slots = decode_separately(scores)
    both = (slots[1:] > 0) & (slots[:-1] > 0)
    assert (slots[1:][both] == slots[:-1][both]).all()
    assert (decode_separately(scores[:, :2]) == decode_words(scores[:, :2])).all()


@pytest.mark.parametrize("shape", [(0, 3), (1, 3)])
def test_empty_and_single_words(shape):
    assert decode_separately(np.zeros(shape)).tolist() == [0] * shape[0]


@pytest.mark.parametrize("scale", [0.5, 8.0])
def test_the_probability_is_that_of_the_ends_times_that_of_the_type(scale):
    scores = np.random.default_rng(0).normal(scale=0.4, size=(4, 3))
    inside = np.stack([scores[:, 0], scores[:, 1:].max(axis=1)], axis=1)
    paths = list(itertools.product(range(2), repeat=4))
    weights = np.exp([scale * total_score(inside, path, 0.15) for path in paths])
    for first, end in itertools.combinations(range(5), 2):
        own = (0,) * first + (1,) * (end - first) + (0,) * (4 - end)
        near = slice(max(first - 1, 0), end + 1)
        has = [path[near] == own[near] for path in paths]
        types = softmax(scale * scores[first:end, 1:].mean(axis=0))
        found = separate_probabilities(scores, [(first, end, 1), (first, end, 2)], scale=scale)
        np.testing.assert_allclose(found, types * weights[has].sum() / weights.sum(), rtol=1e-9)


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0, 100.0])
def test_the_probability_of_the_ends_is_that_of_an_entity_of_a_single_label(scale):
    scores = np.random.default_rng(1).normal(scale=0.3, size=(40, 2))
    every = [(first, end, 1) for first in range(40) for end in range(first + 1, 41)]
    found = separate_probabilities(scores, every, scale=scale)
    np.testing.assert_allclose(found, entity_probabilities(scores, every, scale=scale), rtol=1e-6, atol=1e-12)
    assert found.max() > 0.5 or scale <= 1.0
    extreme = separate_probabilities(scores, every, scale=1_000 * scale)
    assert ((extreme >= 0.0) & (extreme <= 1.0)).all()


@pytest.mark.parametrize(
    ("targets", "offsets", "expected"),
    [
        ([1, 1, 0, 2, 0], [0, 5], True),
        ([1, 2, 0, 2, 0], [0, 5], False),  # one of three entities follows another
        ([1, 2, 0, 2, 0], [0, 1, 5], True),  # in another sentence
        ([1, 2, *[0, 1] * 10], [0, 22], True),  # one of twelve
        ([0, 0], [0, 2], False),
        ([], [0], False),
    ],
)
def test_entities_are_separate_if_few_follow_another_directly(targets, offsets, expected):
    assert are_separate(np.array(targets, np.int32), np.array(offsets)) is expected
