"""Tokenization: texts, pairs and lists of words as the token ids of an encoder's tokenizer.

tokenizer = load_tokenizer(folder, max_length_tokens=64)
encoded = encode_words(tokenizer, [["Ada", "Lovelace", "wrote"]])
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tokenizers import Tokenizer

from metamapping.corpus.tokenizer_file import call_tokenizer, read_tokenizer


class Encoded(NamedTuple):
    """Texts as tokens, one list for each text.

    ``segment_ids``: ``None`` if all are 0, which is so without pairs.
    ``num_tokens``: of each text before it was truncated; for a truncated pair it may be too high.
    ``word_starts`` and ``words`` (``encode_words`` only): for each word with a piece that was not
    truncated, the position of its first piece, and the word's number in its text.
    """

    token_ids: list[list[int]]
    segment_ids: list[list[int]] | None
    num_tokens: list[int]
    word_starts: list[list[int]] | None = None
    words: list[list[int]] | None = None


def load_tokenizer(folder: str | Path, *, max_length_tokens: int) -> Tokenizer:
    """Load a tokenizer that is set to truncate and not to pad.

    Args:
        folder: A folder with ``tokenizer.json``.
        max_length_tokens: The length that texts are truncated to, including special tokens.

    Raises:
        StoreError: The file is missing, damaged or unsafe.
    """
    return read_tokenizer(Path(folder) / "tokenizer.json", max_length_tokens=max_length_tokens)


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str], text_pairs: Sequence[str] | None = None
) -> Encoded:
    """Tokenize texts, or pairs of texts.

    Args:
        tokenizer: The tokenizer.
        texts: The texts.
        text_pairs: The second text of each pair.

    Raises:
        ValueError: The tokenizer cannot process a text.
    """
    if text_pairs is None:
        encodings = call_tokenizer(lambda: tokenizer.encode_batch_fast(texts))
        return Encoded([each.ids for each in encodings], None, _num_tokens(encodings))
    pairs = list(zip(texts, text_pairs, strict=True))
    encodings = call_tokenizer(lambda: tokenizer.encode_batch_fast(pairs))
    segments = [_segments(each) for each in encodings]
    return Encoded([each.ids for each in encodings], segments, _num_tokens(encodings))


def encode_words(tokenizer: Tokenizer, texts: Sequence[Sequence[str]]) -> Encoded:
    """Tokenize texts that are split into words, and locate each word's first piece.

    Args:
        tokenizer: The tokenizer.
        texts: The words of each text.

    Raises:
        ValueError: The tokenizer cannot process a text.
    """
    if _reads_spaces(tokenizer):
        texts = [[word if i == 0 else f" {word}" for i, word in enumerate(words)] for words in texts]
    # `encode_batch_fast` does not compute word_ids.
    encodings = call_tokenizer(lambda: tokenizer.encode_batch(texts, is_pretokenized=True))
    starts, words = [], []
    for each in encodings:
        first: dict[int, int] = {}
        for place, word in enumerate(each.word_ids):
            if word is not None:
                first.setdefault(word, place)
        words.append(list(first))
        starts.append(list(first.values()))
    return Encoded([each.ids for each in encodings], None, _num_tokens(encodings), starts, words)


def _reads_spaces(tokenizer: Tokenizer) -> bool:
    """Whether a word at the start of a text is distinguished by the missing space before it, as in GPT."""
    described = str(tokenizer.pre_tokenizer)
    return "ByteLevel" in described and "add_prefix_space=False" in described


def _segments(encoding: Any) -> list[int]:
    """1 for the second text: the type ids, or the sequence ids if all type ids are 0, as in RoBERTa."""
    types: list[int] = encoding.type_ids
    return types if any(types) else [int(sequence == 1) for sequence in encoding.sequence_ids]


def _num_tokens(encodings: Sequence[Any]) -> list[int]:
    return [len(each.ids) + sum(_num_plain(cut) for cut in each.overflowing) for each in encodings]


def _num_plain(encoding: Any) -> int:
    special: list[int] = encoding.special_tokens_mask
    return len(special) - sum(special)
