"""Wordwise: a fast tokenizer for BERT's WordPiece, which tokenizes each different word only once.

BERT's tokenizers split a text at spaces before all else, so the pieces of a text are those of its words,
one word after the other, whatever words precede or follow. A corpus has far fewer different words than
words: each is tokenized once and remembered, and numpy assembles the texts from their pieces. The result
equals that of the tokenizer itself, token by token (a test compares them), several times as fast.

    wordwise = WordwiseTokenizer.of(tokenizer, max_length_tokens=64)      # None if this is not possible
    tokens = wordwise.encode_texts(pa.array(["a b", "b c"]))
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from metamapping.corpus.ragged import Ragged, offsets_of

_MAX_REMEMBERED = 500_000  # words, which take some 60 MB


class Tokens(NamedTuple):
    """Texts as tokens: with special tokens, truncated, not padded.

    ``segment_ids``: one for each of ``token_ids``; 1 in the second text of a pair.
    ``num_tokens``: ``(num_texts,)``, of each text before it was truncated.
    ``word_starts`` and ``words`` (``encode_words`` only): for each word with a piece that was not
    truncated, the position of its first piece, and the word's number in its text.
    """

    token_ids: Ragged
    segment_ids: Ragged
    num_tokens: np.ndarray
    word_starts: Ragged | None = None
    words: Ragged | None = None


class WordwiseTokenizer:
    """A BERT tokenizer that remembers the pieces of all words that it has seen.

    Args:
        tokenizer: The tokenizer; it is copied, and not changed.
        max_length_tokens: Maximum number of tokens of a text or pair, special tokens included.
    """

    def __init__(self, tokenizer: Tokenizer, max_length_tokens: int) -> None:
        self._number: dict[str, int] = {}  # The row of each remembered word in `_pieces`.
        self._pieces = Ragged.from_lists([], np.int32)
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.no_truncation()
        self._max_length = max_length_tokens
        # The special tokens around a single text, and around each text of a pair.
        self._single = _frame(self._tokenizer.encode("a"))
        self._pair = _frame(self._tokenizer.encode("a", "b"))

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, max_length_tokens: int) -> WordwiseTokenizer | None:
        """Return the wordwise form of a tokenizer, or ``None`` if a word's pieces depend on its neighbours.

        Args:
            tokenizer: Any tokenizer.
            max_length_tokens: The length that texts are truncated to, special tokens included.
        """
        described = json.loads(tokenizer.to_str())
        kinds = [(described[part] or {}).get("type") for part in ("normalizer", "pre_tokenizer", "model")]
        spaced = any(" " in token["content"] for token in described["added_tokens"])
        if kinds != ["BertNormalizer", "BertPreTokenizer", "WordPiece"] or spaced:
            return None
        return cls(tokenizer, max_length_tokens)

    def encode_texts(self, texts: pa.Array, text_pairs: pa.Array | None = None) -> Tokens:
        """Tokenize texts, or pairs of texts.

        Args:
            texts: Strings, without null.
            text_pairs: The second text of each pair.
        """
        first, _ = self._tokenize(pc.split_pattern(texts, " "))
        if text_pairs is None:
            return self._assemble([first], self._single)
        second, _ = self._tokenize(pc.split_pattern(text_pairs, " "))
        return self._assemble([first, second], self._pair)

    def encode_words(self, words: pa.ListArray) -> Tokens:
        """Tokenize texts that are split into words, and locate each word's first piece.

        Args:
            words: The words of each text.
        """
        pieces, per_word = self._tokenize(words)
        tokens = self._assemble([pieces], self._single)
        text_of = np.repeat(np.arange(len(words)), _lengths(words))
        place = offsets_of(per_word)[:-1] - pieces.offsets[text_of]  # among the pieces of its text
        room = self._max_length - self._single.num_special
        is_left = (per_word > 0) & (place < room)
        number = np.arange(len(per_word)) - offsets_of(_lengths(words))[text_of]
        offsets = offsets_of(np.bincount(text_of[is_left], minlength=len(words)))
        starts = Ragged(place[is_left] + len(self._single.special[0]), offsets)
        return tokens._replace(word_starts=starts, words=Ragged(number[is_left], offsets))

    def _tokenize(self, words: pa.ListArray) -> tuple[Ragged, np.ndarray]:
        """The pieces of each text, and the number of pieces of each word of all texts."""
        different = words.flatten().dictionary_encode()
        number = self._numbers(different.dictionary.to_pylist())[different.indices.to_numpy()]
        starts, ends = self._pieces.offsets[number], self._pieces.offsets[number + 1]
        per_word = ends - starts
        offsets = offsets_of(per_word)[offsets_of(_lengths(words))]
        return Ragged(_gather(self._pieces.values, starts, per_word), offsets), per_word

    def _numbers(self, words: list[str]) -> np.ndarray:
        """The numbers of words among those remembered, after new ones were tokenized."""
        if len(self._number) > _MAX_REMEMBERED:
            self._number, self._pieces = {}, Ragged.from_lists([], np.int32)
        new = [word for word in words if word not in self._number]
        if new:
            encodings = self._tokenizer.encode_batch_fast(new, add_special_tokens=False)
            found = Ragged.from_lists([each.ids for each in encodings], np.int32)
            self._number.update(zip(new, range(len(self._number), len(self._number) + len(new)), strict=True))
            values = np.concatenate([self._pieces.values, found.values])
            offsets = np.concatenate([self._pieces.offsets, self._pieces.offsets[-1] + found.offsets[1:]])
            self._pieces = Ragged(values, offsets)
        return np.fromiter(map(self._number.__getitem__, words), np.int64, len(words))

    def _assemble(self, parts: list[Ragged], frame: _Frame) -> Tokens:
        """Truncate the parts, and put special tokens around them."""
        lengths = [part.lengths for part in parts]
        kept = _truncated(lengths, self._max_length - frame.num_special)
        total = np.sum(kept, axis=0) + frame.num_special
        offsets = offsets_of(total)
        token_ids = np.empty(int(total.sum()), np.int32)
        segment_ids = np.empty(len(token_ids), np.int8)
        place = offsets[:-1]  # where the next token of each text goes
        for i, special in enumerate(frame.special):
            for token, segment in zip(special, frame.segments[2 * i], strict=True):
                token_ids[place], segment_ids[place] = token, segment
                place = place + 1
            if i < len(parts):
                target = _ranges(place, kept[i])
                token_ids[target] = _gather(parts[i].values, parts[i].offsets[:-1], kept[i])
                segment_ids[target] = frame.segments[2 * i + 1][0]
                place = place + kept[i]
        num_tokens = np.sum(lengths, axis=0) + frame.num_special
        return Tokens(Ragged(token_ids, offsets), Ragged(segment_ids, offsets), num_tokens)


class _Frame(NamedTuple):
    """The special tokens before, between and after texts, and the segment ids of these and the texts."""

    special: list[list[int]]
    segments: list[list[int]]

    @property
    def num_special(self) -> int:
        return sum(map(len, self.special))


def _frame(encoding: Any) -> _Frame:
    """The frame in an encoding whose texts have one piece each."""
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
    """The lengths after truncation to ``room`` together: the longer of two texts is cut first.

    The rule for two is that of the library tokenizers (utils/truncation.rs, LongestFirst).
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


def _gather(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``values[start : start + length]`` for each start and length, concatenated."""
    found: np.ndarray = values[_ranges(starts, lengths)]
    return found


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """``start, start + 1, ..., start + length - 1`` for each start and length, concatenated."""
    shift = starts - offsets_of(lengths)[:-1]
    return np.repeat(shift, lengths) + np.arange(int(lengths.sum()))
