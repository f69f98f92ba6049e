"""Sampling: properties of every batch and every evaluation episode."""

import numpy as np
import pytest

from metamapping.config.episodes import EpisodeSpec
from metamapping.episodes.sampler import sample_batch, sample_episodes, source_probabilities
from tests.toys import EPISODES, ner_space, text_space

SPACES = [text_space("one"), text_space("three", labels=("a", "b", "c", "d", "e")), ner_space()]


@pytest.fixture(params=range(30))
def draw(request):
    return sample_batch(np.random.default_rng(request.param), SPACES, {}, EPISODES)


def test_support_and_queries_are_disjoint(draw):
    assert not (draw.support & draw.query).any()


def test_the_first_split_is_zero_shot(draw):
    assert not draw.support[0].any()
    assert draw.query[0].any()


def test_every_split_has_queries_and_at_least_two_labels_or_all(draw):
    assert draw.query.any(axis=1).all()
    assert (draw.label_mask.sum(axis=1) >= min(2, len(draw.labels))).all()


def test_items_of_a_split_have_only_its_labels(draw):
    space = SPACES[draw.space]
    if not space.is_ner:
        slot = {c: i for i, c in enumerate(draw.labels)}
        slots = np.array([slot[space.label_of[row]] for row in draw.rows])
        used = draw.support | draw.query
        assert draw.label_mask[:, slots][used].all()


def test_a_text_occurs_once_in_a_batch(draw):
    assert len(set(draw.rows.tolist())) == len(draw.rows)


def test_the_same_generator_gives_the_same_batch():
    first, second = (sample_batch(np.random.default_rng(7), SPACES, {}, EPISODES) for _ in range(2))
    for one, other in zip(vars(first).values(), vars(second).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_sources_are_drawn_by_the_square_root_of_size_times_weight():
    spaces = [text_space("small", per_label=4), text_space("large", per_label=16)]
    np.testing.assert_allclose(source_probabilities(spaces, {}), [1 / 3, 2 / 3])
    np.testing.assert_allclose(source_probabilities(spaces, {"small": 2.0}), [1 / 2, 1 / 2])


@pytest.mark.parametrize("shots", [0, 1, 4])
def test_episodes_have_their_shots_and_queries_of_every_label(shots):
    space = text_space()
    episodes = sample_episodes(
        np.random.default_rng(0), space, ways=5, shots=shots, num_queries=3, num_episodes=4
    )
    for episode in episodes:
        assert np.bincount(space.label_of[episode.support], minlength=3).tolist() == [shots] * 3
        assert np.bincount(space.label_of[episode.query]).tolist() == [3] * 3
        assert not set(episode.support) & set(episode.query)


@pytest.mark.parametrize("shots", [0, 1, 4])
def test_the_support_of_a_ner_episode_contains_every_type(shots):
    space = ner_space()
    for episode in sample_episodes(
        np.random.default_rng(0), space, ways=5, shots=shots, num_queries=2, num_episodes=4
    ):
        for c in episode.labels:
            assert len(np.intersect1d(space.rows_of[c], episode.support)) >= shots
        assert not set(episode.support) & set(episode.query)
        assert len(episode.query)


def test_a_batch_never_has_more_labels_than_configured():
    spec = EpisodeSpec(max_ways=2, num_texts=8, num_splits=3)
    for seed in range(10):
        draw = sample_batch(np.random.default_rng(seed), SPACES, {}, spec)
        assert len(draw.labels) <= 2
