"""Batches: padding, pooling, and which item, word and label is in which slot."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping.episodes.batches import build_batch
from metamapping.episodes.padding import pad_tokens, word_arrays
from metamapping.episodes.sampler import sample_batch
from tests.toys import EPISODES, ner_space, text_space


def test_tokens_are_padded_and_a_whole_text_is_pooled():
    space = text_space()
    batch = pad_tokens(space.token_ids, space.segment_ids, [0, 5], 4)
    for i, row in enumerate([0, 5]):
        ids = space.token_ids[row]
        np.testing.assert_array_equal(batch["token_ids"][i, : len(ids)], ids)
        assert batch["padding_mask"][i].sum() == len(ids) == batch["pool"][i].sum()
    assert batch["token_ids"][2:].sum() == 0


def test_the_second_text_of_a_pair_is_pooled():
    space = text_space(pairs=True)
    batch = pad_tokens(space.token_ids, space.segment_ids, [0], 1)
    np.testing.assert_array_equal(batch["pool"], batch["segment_ids"])


def by_length(space, draw):
    return np.argsort(space.token_ids.lengths[draw.rows], kind="stable")


def test_texts_are_in_order_of_length():
    space = text_space()
    draw = sample_batch(np.random.default_rng(0), [space], {}, EPISODES)
    lengths = build_batch(space, draw, EPISODES)["padding_mask"].sum(axis=1)[: len(draw.rows)]
    assert (np.diff(lengths) >= 0).all()
    assert lengths[0] < lengths[-1]


def test_targets_of_texts_are_slots_of_their_labels():
    space = text_space(labels=tuple("abcdef"))
    draw = sample_batch(np.random.default_rng(0), [space], {}, EPISODES)
    batch = build_batch(space, draw, EPISODES)
    for item, row in enumerate(draw.rows[by_length(space, draw)]):
        assert draw.labels[batch["targets"][item]] == space.label_of[row]
    assert batch["label_mask"].shape == (EPISODES.num_splits, EPISODES.max_ways)


def test_ner_items_are_words_with_their_pieces_and_outside_in_slot_zero():
    space = ner_space()
    draw = sample_batch(np.random.default_rng(1), [space], {}, EPISODES)
    batch = build_batch(space, draw, EPISODES)
    item = 0
    for i, row in enumerate(draw.rows[by_length(space, draw)]):
        for word, start in enumerate(space.word_starts[row]):
            if item == EPISODES.max_ner_words:
                return
            assert batch["word_of"][i, start] == item
            assert batch["piece_counts"][item] == (batch["word_of"] == item).sum() >= 1
            label = space.word_labels[row][word]
            slot = batch["targets"][item]
            assert slot == 0 if label == 0 else draw.labels[slot - 1] + 1 == label
            item += 1
    assert batch["is_outside"].tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    ("num_tokens", "starts", "word_of"),
    [
        (7, [1, 2, 5], [-1, 0, 1, 1, 1, 2, -1, -1]),  # [CLS] a b ##b ##b c [SEP]
        (4, [0, 2], [0, 0, 1, 1, -1, -1, -1, -1]),  # no special tokens
        (2, [1], [-1, 0, -1, -1, -1, -1, -1, -1]),  # a special token before, none after
        (3, [], [-1, -1, -1, -1, -1, -1, -1, -1]),
    ],
)
def test_a_words_pieces_extend_to_the_next_word_or_to_the_special_tokens(num_tokens, starts, word_of):
    mask = (np.arange(8) < num_tokens).astype(np.int32)[None]
    arrays = word_arrays(mask, [np.asarray(starts, np.int64)], 4)
    assert arrays["word_of"].tolist() == [word_of]
    assert arrays["piece_counts"].tolist() == [word_of.count(item) for item in range(4)]


def test_words_beyond_the_limit_have_no_pieces():
    mask = np.ones((2, 5), np.int32)
    arrays = word_arrays(mask, [np.asarray([1, 2, 3]), np.asarray([1, 3])], 4)
    assert arrays["word_of"].tolist() == [[-1, 0, 1, 2, -1], [-1, 3, 3, -1, -1]]
    assert arrays["piece_counts"].tolist() == [1, 1, 1, 2]


def test_some_batches_hide_capitals_as_if_their_words_were_in_lower_case():
    space = ner_space()
    shapes = replace(space.word_shapes, values=np.ones_like(space.word_shapes.values))  # "title"
    space = replace(space, word_shapes=shapes)
    draws = [sample_batch(np.random.default_rng(seed), [space], {}, EPISODES) for seed in range(40)]
    for draw in draws:
        words = build_batch(space, draw, EPISODES)["word_shapes"]
        assert set(words.ravel()) == {0, 5 if draw.is_uncased else 1}  # 0: padding
    assert 0 < sum(draw.is_uncased for draw in draws) < 20


def test_all_words_of_a_sentence_are_support_or_all_are_query():
    space = ner_space()
    draw = sample_batch(np.random.default_rng(2), [space], {}, EPISODES)
    batch = build_batch(space, draw, EPISODES)
    for split in range(EPISODES.num_splits):
        for i in range(min(len(draw.rows), EPISODES.max_ner_words // 5)):
            words = slice(5 * i, 5 * i + 5)
            assert batch["support"][split, words].sum() == 5 * draw.support[split, i]
            assert batch["query"][split, words].sum() == 5 * draw.query[split, i]


def test_natural_query_weights_follow_the_frequency_of_labels_in_the_source():
    space = text_space(labels=("a", "b"), per_label=12)
    rare = replace(space, rows_of=(space.rows_of[0], space.rows_of[1][:4]))
    draw = sample_batch(np.random.default_rng(0), [rare], {}, EPISODES)
    natural = build_batch(rare, draw, EPISODES.model_copy(update={"query_weights": "natural"}))
    uniform = build_batch(rare, draw, EPISODES)
    common = draw.labels[natural["targets"]] == 0
    for weights, query in zip(natural["query"], uniform["query"], strict=True):
        assert weights.sum() == pytest.approx(query.sum(), rel=1e-5)
        if (query > 0)[common].any() and (query > 0)[~common].any():
            assert weights[common].sum() == pytest.approx(3 * weights[~common].sum(), rel=1e-5)
        assert ((weights > 0) == (query > 0)).all()
