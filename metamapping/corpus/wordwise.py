"""Wordwise: the tokens of many texts from the pieces of their different words.

BERT's tokenizers cut a text at spaces before all else, so a text's pieces are those of its words, one
word after the other, whatever stands beside them. Texts have far fewer different words than words:
each is tokenized once and remembered, and the texts are put together from pieces with numpy. The result
is that of the tokenizer itself, to the last token (a test compares them), several times as fast.

    wordwise = Wordwise.of(tokenizer, max_length_tokens=64)      # None: not a tokenizer of this kind
    tokens = wordwise.encode_texts(pa.array(["a b", "b c"]))
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

_MOST_KNOWN = 500_000  # words remembered: some 60 MB


class Ragged(NamedTuple):
    """Rows of different lengths, one after the other in ``values``."""

    values: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Ragged:
        """The same rows as plain lists."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        values = np.fromiter(chain.from_iterable(rows), np.int32, int(lengths.sum()))
        return cls(values, lengths)

    def to_arrow(self, dtype: type) -> pa.ListArray:
        """The same rows as lists."""
        values = pa.array(self.values.astype(dtype, copy=False))
        return pa.ListArray.from_arrays(pa.array(_offsets(self.lengths).astype(np.int32)), values)


class Tokens(NamedTuple):
    """Texts as tokens: special tokens in place, truncated, not padded.

    ``segment_ids``: as long as ``token_ids``. ``num_tokens``: of each text before it was truncated.
    ``word_starts`` and ``words`` (``encode_words`` alone): for each word that has a piece left, the
    place of its first piece and the word's own number.
    """

    token_ids: Ragged
    segment_ids: Ragged
    num_tokens: np.ndarray
    word_starts: Ragged | None = None
    words: Ragged | None = None


class Wordwise:
    """A BERT tokenizer that remembers the pieces of the words it has seen."""

    def __init__(self, tokenizer: Tokenizer, max_length_tokens: int) -> None:
        self._number: dict[str, int] = {}  # of each word among those known
        self._known = Ragged.of([])  # their pieces
        self._starts = np.empty(0, np.int64)
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._max_length = max_length_tokens
        # What the tokenizer puts around one text, and around each of two.
        self._single = _frame(self._tokenizer.encode("a"))
        self._pair = _frame(self._tokenizer.encode("a", "b"))

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, max_length_tokens: int) -> Wordwise | None:
        """The same tokenizer wordwise, or ``None`` where words depend on what stands beside them."""
        described = json.loads(tokenizer.to_str())
        kinds = [(described[part] or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
        spaced = any(" " in token["content"] for token in described["added_tokens"])
        if kinds != ["BertNormalizer", "BertPreTokenizer", "WordPiece"] or spaced:
            return None
        return cls(tokenizer, max_length_tokens)

    def encode_texts(self, texts: pa.Array, text_pairs: pa.Array | None = None) -> Tokens:
        """Tokens of texts, or of pairs."""
        first, _ = self._pieces(pc.split_pattern(texts, " "))
        if text_pairs is None:
            return self._framed([first], self._single)
        second, _ = self._pieces(pc.split_pattern(text_pairs, " "))
        return self._framed([first, second], self._pair)

    def encode_words(self, words: pa.ListArray) -> Tokens:
        """Tokens of texts that are parted into words, and where each word begins."""
        pieces, per_word = self._pieces(words)
        tokens = self._framed([pieces], self._single)
        text_of = np.repeat(np.arange(len(words)), _lengths(words))
        place = _offsets(per_word)[:-1] - _offsets(pieces.lengths)[text_of]  # among its text's pieces
        room = self._max_length - self._single.num_special
        left = (per_word > 0) & (place < room)
        number = np.arange(len(per_word)) - _offsets(_lengths(words))[text_of]
        counts = np.bincount(text_of[left], minlength=len(words))
        starts = Ragged(place[left] + len(self._single.special[0]), counts)
        return tokens._replace(word_starts=starts, words=Ragged(number[left], counts))

    def _pieces(self, words: pa.ListArray) -> tuple[Ragged, np.ndarray]:
        """The pieces of each text, and the number of pieces of each word of all texts."""
        different = words.flatten().dictionary_encode()
        number = self._numbers(different.dictionary.to_pylist())[different.indices.to_numpy()]
        per_word = self._known.lengths[number]
        values = _gather(self._known.values, self._starts[number], per_word)
        ends = np.concatenate([[0], np.cumsum(per_word)])[_offsets(_lengths(words))]
        return Ragged(values, np.diff(ends)), per_word

    def _numbers(self, words: list[str]) -> np.ndarray:
        """The numbers of words among those known, after those that are new were tokenized."""
        if len(self._number) > _MOST_KNOWN:
            self._number, self._known = {}, Ragged.of([])
        new = [word for word in words if word not in self._number]
        if new:
            encodings = self._tokenizer.encode_batch_fast(new, add_special_tokens=False)
            found = Ragged.of([each.ids for each in encodings])
            self._number.update(zip(new, range(len(self._number), len(self._number) + len(new)), strict=True))
            values = np.concatenate([self._known.values, found.values])
            self._known = Ragged(values, np.concatenate([self._known.lengths, found.lengths]))
            self._starts = _offsets(self._known.lengths)[:-1]
        return np.fromiter(map(self._number.__getitem__, words), np.int64, len(words))

    def _framed(self, parts: list[Ragged], frame: _Frame) -> Tokens:
        """The parts with special tokens around them, cut to the greatest length."""
        lengths = [part.lengths for part in parts]
        kept = _truncated(lengths, self._max_length - frame.num_special)
        total = np.sum(kept, axis=0) + frame.num_special
        token_ids = np.empty(int(total.sum()), np.int32)
        segment_ids = np.empty(len(token_ids), np.int8)
        place = _offsets(total)[:-1]
        for i, special in enumerate(frame.special):
            for token, segment in zip(special, frame.segments[2 * i], strict=True):
                token_ids[place], segment_ids[place] = token, segment
                place = place + 1
            if i < len(parts):
                to = _ranges(place, kept[i])
                values = parts[i].values
                token_ids[to] = _gather(values, _offsets(lengths[i])[:-1], kept[i])
                segment_ids[to] = frame.segments[2 * i + 1][0]
                place = place + kept[i]
        before = np.sum(lengths, axis=0) + frame.num_special
        return Tokens(Ragged(token_ids, total), Ragged(segment_ids, total), before)


class _Frame(NamedTuple):
    """The special tokens before, between and after the texts, and the segments of all in turn."""

    special: list[list[int]]
    segments: list[list[int]]

    @property
    def num_special(self) -> int:
        return sum(map(len, self.special))


def _frame(encoding: Any) -> _Frame:
    """What the tokenizer put around the texts of ``encoding``, each of one piece."""
    special: list[list[int]] = [[]]
    segments: list[list[int]] = [[]]
    columns = zip(encoding.ids, encoding.type_ids, encoding.special_tokens_mask, strict=True)
    for token, segment, is_special in columns:
        if is_special:
            special[-1].append(token)
            segments[-1].append(segment)
        else:
            special.append([])
            segments += [[segment], []]
    return _Frame(special, segments)


def _truncated(lengths: Sequence[np.ndarray], room: int) -> list[np.ndarray]:
    """Lengths that fit into ``room`` together: the longer of two gives way first.

    The rule for two is that of `tokenizers` (utils/truncation.rs, LongestFirst).
    """
    if len(lengths) == 1:
        return [np.minimum(lengths[0], room)]
    short, long = np.minimum(*lengths), np.maximum(*lengths)
    fits = short + long <= room
    cut = np.where(short > room, short, np.maximum(short, room - short))
    both = short + cut > room
    new_short = np.where(fits, short, np.where(both, room // 2, short))
    new_long = np.where(fits, long, np.where(both, room // 2 + room % 2, cut))
    swapped = lengths[0] > lengths[1]
    return [np.where(swapped, new_long, new_short), np.where(swapped, new_short, new_long)]


def _lengths(lists: pa.ListArray) -> np.ndarray:
    found: np.ndarray = lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)])


def _gather(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``values[start : start + length]`` of each pair, one after the other."""
    found: np.ndarray = values[_ranges(starts, lengths)]
    return found


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``start, start + 1, …`` of each start, as many as its length says."""
    shift = starts - _offsets(lengths)[:-1]
    return np.repeat(shift, lengths) + np.arange(int(lengths.sum()))
