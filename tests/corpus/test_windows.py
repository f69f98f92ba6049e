"""Windows: every token of a long text is in one, and every word belongs to the one with most context."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from metamapping.corpus.windows import (
    _windows_of,
    join_windows,
    text_windows,
    window_room,
    with_overlap,
    word_windows,
)

NUMBERS = [str(i) for i in range(100)]


@pytest.fixture(scope="module")
def tokenizer():
    made = Tokenizer(WordLevel({"[S]": 0, "[E]": 1} | {n: i + 2 for i, n in enumerate(NUMBERS)}, "[S]"))
    made.pre_tokenizer = Whitespace()
    made.post_processor = TemplateProcessing(single="[S] $A [E]", special_tokens=[("[S]", 0), ("[E]", 1)])
    made.enable_truncation(10)
    return made


def test_windows_overlap_and_cover_every_token(tokenizer):
    windows = text_windows(with_overlap(tokenizer), [" ".join(NUMBERS[:20]), "7", ""])
    assert windows.text_of.tolist() == [0, 0, 0, 1, 2]
    assert windows.is_first.tolist() == [True, False, False, True, True]
    assert windows.num_long == 1
    rows = [(windows.token_ids[i] - 2).tolist() for i in range(5)]
    assert rows[0] == [-2, *range(8), -1]
    assert rows[1] == [-2, *range(6, 14), -1]  # a quarter of eight is repeated
    assert rows[2] == [-2, *range(12, 20), -1]
    assert windows.weights.tolist() == [8, 8, 8, 1, 1]


def test_features_are_averaged_by_tokens_view_by_view(tokenizer):
    windows = text_windows(with_overlap(tokenizer, overlap=0), [" ".join(NUMBERS[:10]), "7"])

    def encode(token_ids, segment_ids):
        assert not segment_ids.values.any()
        features = np.zeros((len(token_ids), 2, 2), np.float32)
        features[:, :, 0] = token_ids.lengths[:, None] == 10  # the first window has eight tokens of its own
        features[:, :, 1] = 1 - features[:, :, 0]
        return features.reshape(-1, 4)

    joined = join_windows(encode, windows, num_texts=2, num_views=2).reshape(2, 2, 2)
    expected = np.array([8, 2]) / np.hypot(8, 2)
    np.testing.assert_allclose(joined, [[expected] * 2, [[0, 1]] * 2], atol=1e-6)


def test_texts_that_are_not_long_are_encoded_as_they_are(tokenizer):
    windows = text_windows(with_overlap(tokenizer), ["1 2", "3"])
    features = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)
    assert join_windows(lambda ids, segments: features, windows, num_texts=2, num_views=1) is features


def test_words_belong_to_the_window_where_they_have_most_context(tokenizer):
    windows = word_windows(tokenizer, [NUMBERS[:14], [], ["5"]])
    assert [(each.text, each.first, each.last) for each in windows] == [(0, 0, 8), (0, 6, 14), (2, 0, 1)]
    # Words 6 and 7 are in both: 6 has one word after it in the first and none before it in the second.
    assert [each.owned for each in windows] == [(0, 7), (7, 14), (0, 1)]
    assert window_room(tokenizer) == 8


@given(counts=st.lists(st.integers(0, 12), max_size=60), room=st.integers(1, 10))
def test_every_word_is_owned_once_by_a_window_that_has_it(counts, room):
    counts = np.array(counts, np.int64)
    windows = list(_windows_of(0, counts, room))
    owned = [word for each in windows for word in range(*each.owned)]
    assert owned == list(range(len(counts)))
    for each in windows:
        assert each.owned[0] == each.owned[1] or each.first <= each.owned[0] < each.owned[1] <= each.last
        assert counts[each.first : each.last].sum() <= room or each.last == each.first + 1
    assert len(windows) <= max(1, len(counts))
