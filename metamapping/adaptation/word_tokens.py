"""Word tokens: what the encoder reads of texts that are given as words, and which states are whose.

A long text is read in windows. A word belongs to the window where it has most context, and to one of its own
if it was cut from that.

    for tokens in word_passes(tokenizer, cleaned, offsets):
        states = encoder.encode(tokens.token_ids, tokens.segment_ids, tokens.word_starts)
        features[tokens.positions[tokens.is_owned]] = states[tokens.is_owned]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from metamapping.corpus.ragged import Ragged
from metamapping.corpus.tokenization import Encoded, encode_words
from metamapping.corpus.windows import WordWindow, word_windows


@dataclass(frozen=True)
class WordTokens:
    """The windows of some texts.

    Attributes:
        token_ids: Tokens of each window.
        segment_ids: Segments of the same tokens, all 0.
        word_starts: The first piece of each word of each window.
        text_of: Int ``(num_windows,)``, the text of each window.
        positions: Int ``(num_words,)``, of each word of each window its position among all texts' words.
        is_owned: Bool ``(num_words,)``, whether the word's features are those of this window.
        is_cut: Bool ``(num_windows,)``, whether it is of one word that is longer than the encoder reads.
    """

    token_ids: Ragged
    segment_ids: Ragged
    word_starts: Ragged
    text_of: np.ndarray
    positions: np.ndarray
    is_owned: np.ndarray
    is_cut: np.ndarray


def word_passes(
    tokenizer: Tokenizer, texts: Sequence[Sequence[str]], offsets: np.ndarray
) -> Iterator[WordTokens]:
    """The windows of texts; in further passes windows of words that were cut from theirs.

    Args:
        tokenizer: A tokenizer that is set to truncate.
        texts: The clean words of each text.
        offsets: Text ``i`` has the words ``offsets[i]:offsets[i + 1]``.

    Raises:
        ValueError: The tokenizer cannot process a text.
    """
    pieces = word_windows(tokenizer, texts)
    while pieces:
        encoded = encode_words(tokenizer, [texts[w.text][w.first : w.last] for w in pieces])
        yield _tokens(pieces, encoded, offsets)
        pieces = _without_room(pieces, encoded)


def joined_passes(passes: Sequence[WordTokens]) -> WordTokens:
    """The windows of several passes over the same texts, together.

    Args:
        passes: At least one.
    """
    if len(passes) == 1:
        return passes[0]

    def ragged(name: str) -> Ragged:
        rows = [row.tolist() for each in passes for row in _rows(getattr(each, name))]
        return Ragged.from_lists(rows, np.int32)

    def array(name: str) -> np.ndarray:
        return np.concatenate([getattr(each, name) for each in passes])

    return WordTokens(
        token_ids=ragged("token_ids"),
        segment_ids=ragged("segment_ids"),
        word_starts=ragged("word_starts"),
        text_of=array("text_of"),
        positions=array("positions"),
        is_owned=array("is_owned"),
        is_cut=array("is_cut"),
    )


def _rows(ragged: Ragged) -> list[np.ndarray]:
    return [ragged[row] for row in range(len(ragged))]


def _tokens(pieces: list[WordWindow], encoded: Encoded, offsets: np.ndarray) -> WordTokens:
    assert encoded.words is not None
    assert encoded.word_starts is not None
    token_ids = Ragged.from_lists(encoded.token_ids, np.int32)
    starts = Ragged.from_lists(encoded.word_starts, np.int32)
    firsts = np.repeat([each.first for each in pieces], starts.lengths)
    owned = np.repeat([each.owned for each in pieces], starts.lengths, axis=0)
    numbers = firsts + Ragged.from_lists(encoded.words, np.int64).values
    text_of = np.array([each.text for each in pieces])
    is_one_word = np.array([each.last == each.first + 1 for each in pieces])
    return WordTokens(
        token_ids=token_ids,
        segment_ids=Ragged(np.zeros(len(token_ids.values), np.int32), token_ids.offsets),
        word_starts=starts,
        text_of=text_of,
        positions=np.repeat(offsets[text_of], starts.lengths) + numbers,
        is_owned=(owned[:, 0] <= numbers) & (numbers < owned[:, 1]),
        is_cut=is_one_word & (np.array(encoded.num_tokens) > token_ids.lengths),
    )


def _without_room(pieces: list[WordWindow], encoded: Encoded) -> list[WordWindow]:
    """A window of its own for each word that was truncated from the window that owns it.

    A word may have more pieces at the beginning of a window than within its text.
    """
    assert encoded.words is not None
    missed = []
    for each, words, num_tokens, ids in zip(
        pieces, encoded.words, encoded.num_tokens, encoded.token_ids, strict=True
    ):
        if num_tokens == len(ids):
            continue
        first, last = each.owned
        end = each.first + max(words, default=0) + 1
        missed += [WordWindow(each.text, i, i + 1, (i, i + 1)) for i in range(max(first, end), last)]
    return missed
