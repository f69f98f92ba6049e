"""Windows: texts that are longer than the encoder reads, as overlapping parts, so that nothing is cut.

Input: texts or words and their tokenizer. Output: the tokens of all windows, and which text each belongs to.
The features of a text's windows are averaged, weighted by their tokens; a word has the features of the window
in which it has most context. Texts that are short enough are one window: their features do not change. Which
overlap: docs/experiments/long-texts.md.

    windows = text_windows(with_overlap(tokenizer), ["a short text", long_text])
    join_windows(encoder.encode(windows.token_ids, windows.segment_ids), windows, num_views=3)

A pair of texts has no windows: its second text is read in the context of the whole first one, and there would
be a window for every two parts of both. Pairs are cut to the encoder's length, the longer text first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tokenization import encode_words
from metamapping.corpus.tokenizer_file import call_tokenizer

# The share of a window that the next one repeats.
OVERLAP = 0.25
# Windows that are encoded before their features are added up, which bounds the memory.
_WINDOWS_PER_CHUNK = 8_192
_MIN_SQUARE = 1e-12

Encode = Callable[[Ragged, Ragged], np.ndarray]


class Windows(NamedTuple):
    """The windows of some texts, the texts in order and each text's windows in order.

    Attributes:
        token_ids: Tokens of each window, special tokens included.
        text_of: Int ``(num_windows,)``, the text of each window.
        weights: Float32 ``(num_windows,)``, the number of its tokens, special ones not counted.
        is_first: Bool ``(num_windows,)``, whether it begins its text.
    """

    token_ids: Ragged
    text_of: np.ndarray
    weights: np.ndarray
    is_first: np.ndarray

    @property
    def num_long(self) -> int:
        """How many texts have several windows."""
        return len(np.unique(self.text_of[~self.is_first]))


def with_overlap(tokenizer: Tokenizer, *, overlap: float = OVERLAP) -> Tokenizer:
    """A copy of a tokenizer that returns what it truncates as further windows.

    Args:
        tokenizer: A tokenizer that is set to truncate.
        overlap: The share of a window's tokens that the next one repeats, less than 1.
    """
    copied = Tokenizer.from_str(tokenizer.to_str())
    room = window_room(tokenizer)
    length = room + tokenizer.num_special_tokens_to_add(False)
    copied.enable_truncation(length, stride=min(int(overlap * room), room - 1))
    return copied


def window_room(tokenizer: Tokenizer) -> int:
    """How many tokens of a text a window has room for, besides the special ones.

    Args:
        tokenizer: A tokenizer that is set to truncate.
    """
    assert tokenizer.truncation is not None
    room: int = tokenizer.truncation["max_length"] - tokenizer.num_special_tokens_to_add(False)
    return room


def text_windows(tokenizer: Tokenizer, texts: Sequence[str]) -> Windows:
    """Tokenize texts as windows.

    Args:
        tokenizer: A tokenizer from ``with_overlap``.
        texts: Clean texts.

    Raises:
        ValueError: The tokenizer cannot process a text.
    """
    encodings = call_tokenizer(lambda: tokenizer.encode_batch_fast(texts))
    parts = [[each, *each.overflowing] for each in encodings]
    token_ids = Ragged.from_lists([window.ids for part in parts for window in part], np.int32)
    counts = np.fromiter(map(len, parts), np.int64, len(parts))
    is_first = np.zeros(len(token_ids), bool)
    is_first[np.cumsum(counts) - counts] = True
    num_plain = token_ids.lengths - tokenizer.num_special_tokens_to_add(False)
    weights = np.maximum(num_plain, 1).astype(np.float32)
    return Windows(token_ids, np.repeat(np.arange(len(parts)), counts), weights, is_first)


def join_windows(encode: Encode, windows: Windows, *, num_texts: int, num_views: int) -> np.ndarray:
    """Encode windows, and join them to the features of their texts.

    Each view is averaged over a text's windows, and has unit length again.

    Args:
        encode: Encodes tokens, given with their segments: float32 ``(num_windows, num_views * dim)``.
        windows: The windows.
        num_texts: Number of texts.
        num_views: Number of views side by side.

    Returns:
        Float32 ``(num_texts, num_views * dim)``.
    """
    ids, is_long = windows.token_ids, num_texts < len(windows.text_of)
    segments = Ragged(np.zeros(len(ids.values), np.int32), ids.offsets)
    if not is_long:
        return encode(ids, segments)
    sums: np.ndarray | None = None
    for first in range(0, len(ids), _WINDOWS_PER_CHUNK):
        rows = np.arange(first, min(first + _WINDOWS_PER_CHUNK, len(ids)))
        features = encode(ids.take(rows), segments.take(rows)) * windows.weights[rows, None]
        if sums is None:
            sums = np.zeros((num_texts, features.shape[1]), np.float32)
        texts, starts = np.unique(windows.text_of[rows], return_index=True)
        sums[texts] += np.add.reduceat(features, starts)
    assert sums is not None
    views = sums.reshape(num_texts, num_views, -1)
    squares = np.maximum((views * views).sum(axis=-1, keepdims=True), np.float32(_MIN_SQUARE))
    joined: np.ndarray = (views / np.sqrt(squares)).reshape(num_texts, -1)
    return joined


class WordWindow(NamedTuple):
    """A window of words.

    Attributes:
        text: The text.
        first: Its first word in the text.
        last: The word after its last.
        owned: The first word, and the word after the last, that have more context in no other window.
    """

    text: int
    first: int
    last: int
    owned: tuple[int, int]


def word_windows(tokenizer: Tokenizer, texts: Sequence[Sequence[str]]) -> list[WordWindow]:
    """Split texts that are given as words into windows.

    Args:
        tokenizer: A tokenizer that is set to truncate.
        texts: The words of each text; a text may have none.

    Returns:
        The windows of all texts in order; a text without words has none.
    """
    room = window_room(tokenizer)
    counts = _piece_counts(tokenizer, texts)
    return [window for text, each in enumerate(counts) for window in _windows_of(text, each, room)]


def _piece_counts(tokenizer: Tokenizer, texts: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """The number of pieces of each word of each text, if nothing is truncated."""
    whole = Tokenizer.from_str(tokenizer.to_str())
    whole.no_truncation()
    encoded = encode_words(whole, texts)
    assert encoded.word_starts is not None
    assert encoded.words is not None
    found = []
    rows = zip(texts, encoded.token_ids, encoded.word_starts, encoded.words, strict=True)
    for words, ids, starts, numbers in rows:
        counts = np.zeros(len(words), np.int64)
        if starts:
            counts[numbers] = np.diff([*starts, max(starts[-1] + 1, len(ids) - starts[0])])
        found.append(counts)
    return found


def _windows_of(text: int, counts: np.ndarray, room: int) -> Iterator[WordWindow]:
    """The windows of one text, whose words have these numbers of pieces."""
    bounds = _window_bounds(counts, room)
    places = np.concatenate([[0], np.cumsum(counts)])
    owner, most = np.zeros(len(counts), np.int64), np.full(len(counts), -1.0)
    for i, (first, last) in enumerate(bounds):
        before = places[first:last] - places[first] if first else np.inf
        after = places[last] - places[first + 1 : last + 1] if last < len(counts) else np.inf
        context = np.minimum(before, after)
        is_more = context > most[first:last]
        owner[first:last] = np.where(is_more, i, owner[first:last])
        most[first:last] = np.maximum(context, most[first:last])
    for i, (first, last) in enumerate(bounds):
        owned = np.searchsorted(owner, [i, i + 1])
        yield WordWindow(text, first, last, (int(owned[0]), int(owned[1])))


def _window_bounds(counts: np.ndarray, room: int) -> list[tuple[int, int]]:
    """First word, and the word after the last, of each window; a window has at least one word."""
    places, num_words = np.concatenate([[0], np.cumsum(counts)]), len(counts)
    bounds, first = [], 0
    while first < num_words:
        last = int(np.searchsorted(places, places[first] + room, side="right")) - 1
        last = max(last, first + 1)
        bounds.append((first, last))
        if last == num_words:
            break
        # As many words again as are in the overlap, and few enough that there is room for one more.
        start = max(places[last] - int(OVERLAP * room), places[last + 1] - room)
        first = min(max(int(np.searchsorted(places, start)), first + 1), last)
    return bounds
