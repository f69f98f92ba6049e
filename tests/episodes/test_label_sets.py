"""Texts with any number of labels, and grades: label spaces, episodes and batches."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping.config.sources import Source
from metamapping.episodes.batches import build_batch
from metamapping.episodes.label_space import build_label_space
from metamapping.episodes.sampler import sample_batch, sample_episodes
from metamapping.errors import ConfigError
from tests.toys import EPISODES, label_set_space, token_table, tokenize_names

SPACE = label_set_space()


@pytest.fixture(params=range(20))
def draw(request):
    return sample_batch(np.random.default_rng(request.param), [SPACE], {}, EPISODES)


def graded_space(labels, ordinal):
    table = token_table([(label, None, [1, 2], None) for label in labels], "stars")
    source = Source(name="stars", task_type="sentiment-analysis", role="train", files=["x"], ordinal=ordinal)
    return build_label_space(source, table, role="train", tokenize_names=tokenize_names)


def test_rows_are_grouped_by_each_of_their_labels():
    has = SPACE.indicators(np.arange(SPACE.num_rows), np.arange(3))
    for label, rows in enumerate(SPACE.rows_of):
        np.testing.assert_array_equal(rows, np.flatnonzero(has[:, label]))
    np.testing.assert_array_equal(SPACE.rows_without_labels, np.flatnonzero(~has.any(axis=1)))
    assert has.sum(axis=1).max() > 1
    assert len(SPACE.rows_without_labels)


def test_indicators_are_in_the_order_of_the_labels_that_are_asked_for():
    rows = np.array([3, 1])
    np.testing.assert_array_equal(
        SPACE.indicators(rows, np.array([2, 0])), SPACE.indicators(rows, np.arange(3))[:, [2, 0]]
    )


def test_a_source_of_fewer_than_two_labels_is_refused():
    table = token_table([(None, None, [1, 2], None)] * 2, "sets").append_column("labels", [[["a"], []]])
    source = Source(name="sets", task_type="text-classification", role="train", files=["x"], multi_label=True)
    with pytest.raises(ConfigError, match=r"'sets' has 1 label \(a\), but episodes need at least 2"):
        build_label_space(source, table, role="train", tokenize_names=tokenize_names)


def test_no_text_is_twice_in_a_batch_or_both_support_and_query(draw):
    assert len(set(draw.rows)) == len(draw.rows) <= EPISODES.num_texts
    assert not (draw.support & draw.query).any()
    assert draw.query.any(axis=1).all()
    assert not draw.support[0].any()


def test_each_label_of_a_split_has_its_shots_and_queries_as_far_as_there_are_texts(draw):
    has = SPACE.indicators(draw.rows, draw.labels)
    for split in range(1, len(draw.support)):
        for slot in np.flatnonzero(draw.label_mask[split]):
            assert draw.query[split, has[:, slot]].any()
    some = draw.support[1:]
    assert (some.any(axis=1)).all()


def test_some_texts_of_a_batch_have_none_of_its_labels():
    draws = [sample_batch(np.random.default_rng(seed), [SPACE], {}, EPISODES) for seed in range(5)]
    for draw in draws:
        others = ~SPACE.indicators(draw.rows, draw.labels).any(axis=1)
        assert 0 < others.sum() < len(draw.rows) / 2
        assert draw.query[0, others].any()


def test_an_episode_has_its_shots_of_each_label_and_texts_of_none():
    drawn = sample_episodes(np.random.default_rng(0), SPACE, ways=2, shots=3, num_queries=4, num_episodes=10)
    for episode in drawn:
        support, query = (SPACE.indicators(rows, episode.labels) for rows in (episode.support, episode.query))
        assert (support.sum(axis=0) >= 3).all()
        assert (query.sum(axis=0) >= 4).all()
        assert (~support.any(axis=1)).sum() == 3
        assert (~query.any(axis=1)).sum() == 4
        assert not set(episode.support) & set(episode.query)


def test_a_batch_has_ones_at_the_labels_of_each_text(draw):
    batch = build_batch(SPACE, draw, EPISODES)
    assert "targets" not in batch
    order = np.argsort(SPACE.token_ids.lengths[draw.rows], kind="stable")
    expected = SPACE.indicators(draw.rows[order], draw.labels)
    assert batch["label_sets"].shape == (EPISODES.num_texts, EPISODES.max_ways)
    np.testing.assert_array_equal(batch["label_sets"][: len(order), : len(draw.labels)], expected)
    assert batch["label_sets"].sum() == expected.sum()


def test_natural_weights_leave_texts_of_several_labels_alike(draw):
    natural = EPISODES.model_copy(update={"query_weights": "natural"})
    np.testing.assert_array_equal(
        build_batch(SPACE, draw, natural)["query"], build_batch(SPACE, draw, EPISODES)["query"]
    )


def test_a_space_without_unlabelled_texts_has_episodes_as_well():
    labels = np.arange(3)
    rows = np.flatnonzero(SPACE.indicators(np.arange(SPACE.num_rows), labels).any(axis=1))
    space = replace(SPACE, rows_without_labels=np.zeros(0, np.int64))
    (episode,) = sample_episodes(
        np.random.default_rng(0), space, ways=3, shots=2, num_queries=2, num_episodes=1
    )
    assert set(episode.support) | set(episode.query) <= set(rows)


def test_grades_are_in_their_order_and_only_those_that_occur():
    space = graded_space(["good", "bad", "fair", "bad"], ["awful", "bad", "fair", "good"])
    assert space.labels == ("bad", "fair", "good")
    assert space.is_ordinal
    assert space.label_of.tolist() == [2, 0, 1, 0]
    assert [rows.tolist() for rows in space.rows_of] == [[1, 3], [2], [0]]


def test_a_label_that_is_no_grade_is_refused():
    with pytest.raises(ConfigError, match="'fair' is not in `ordinal`"):
        graded_space(["good", "bad", "fair"], ["bad", "good"])
