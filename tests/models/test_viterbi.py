"""Viterbi decoding against brute force over all label sequences."""

import itertools

import numpy as np
import pytest

from metamapping.models.viterbi import decode_words, entity_probabilities


def total_score(scores, path, entity_penalty):
    before = [0, *path]
    begun = sum(now not in (0, last) for last, now in zip(before, path, strict=False))
    return sum(scores[i, slot] for i, slot in enumerate(path)) - entity_penalty * begun


@pytest.mark.parametrize("entity_penalty", [0.0, 0.15, 1.0])
@pytest.mark.parametrize("seed", range(8))
def test_no_other_label_sequence_has_a_higher_score(seed, entity_penalty):
    scores = np.random.default_rng(seed).normal(scale=0.4, size=(5, 4))
    path = decode_words(scores, entity_penalty=entity_penalty)
    best = max(total_score(scores, other, entity_penalty) for other in itertools.product(range(4), repeat=5))
    assert total_score(scores, path.tolist(), entity_penalty) == pytest.approx(best)


def test_without_a_penalty_each_word_gets_its_best_label():
    scores = np.random.default_rng(0).normal(size=(50, 6))
    np.testing.assert_array_equal(decode_words(scores, entity_penalty=0.0), scores.argmax(axis=1))


def test_a_doubtful_word_is_outside_unless_it_is_inside_an_entity():
    doubtful = np.array([[0.5, 0.4], [0.4, 0.5], [0.5, 0.4]])
    assert decode_words(doubtful).tolist() == [0, 0, 0]
    within = np.array([[0.1, 0.9], [0.5, 0.4], [0.1, 0.9]])
    assert decode_words(within).tolist() == [1, 1, 1]


@pytest.mark.parametrize("shape", [(0, 3), (1, 3)])
def test_empty_and_single_words(shape):
    assert decode_words(np.zeros(shape)).tolist() == [0] * shape[0]


@pytest.mark.parametrize("num_words", [1, 4])
@pytest.mark.parametrize("scale", [0.5, 8.0])
def test_the_probability_of_an_entity_is_that_of_all_sequences_with_it(num_words, scale):
    scores = np.random.default_rng(num_words).normal(scale=0.4, size=(num_words, 3))
    paths = list(itertools.product(range(3), repeat=num_words))
    weights = np.exp([scale * total_score(scores, path, 0.15) for path in paths])
    every = [
        (first, end, slot)
        for first in range(num_words)
        for end in range(first + 1, num_words + 1)
        for slot in (1, 2)
    ]
    for first, end, slot in every:
        inside = (*[slot] * (end - first),)
        has = [
            path[first:end] == inside and slot not in (*path[max(first - 1, 0) : first], *path[end : end + 1])
            for path in paths
        ]
        found = entity_probabilities(scores, [(first, end, slot)], scale=scale)
        assert found == pytest.approx(weights[has].sum() / weights.sum())
    assert entity_probabilities(scores, [], scale=scale).shape == (0,)


def test_entities_of_long_and_certain_sentences_have_finite_probabilities():
    scores = np.tile([1.0, 0.0], (1_500, 1))
    scores[::3] = [0.0, 9.0]
    found = entity_probabilities(scores, [(3, 4, 1), (4, 5, 1)], scale=50.0)
    np.testing.assert_allclose(found, [1.0, 0.0], atol=1e-6)
