"""Tokens: examples as token ids, for the encoder's own tokenizer.

In go ``examples`` shards and a tokenizer's folder, out come ``tokens`` shards: the same rows in the
same order, truncated to ``max_length_tokens``, without padding. For ``ner`` each word that is left
has the place of its first piece; words that truncation cuts off, or that have no piece at all, are
in neither ``tags`` nor ``word_starts``.

    tokenizer = load_tokenizer(folder, max_length_tokens=64)
    encoded = encode_words(tokenizer, [["Ada", "Lovelace", "wrote"]])
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from metamapping.config import Source
from metamapping.corpus.shards import TOKENS, ShardWriter, iterate_shards
from metamapping.corpus.sources import Progress
from metamapping.store import Stage

_VERSION = 1
_ROWS_PER_BATCH = 5_000


def tokens_stage(source: Source, max_length_tokens: int, examples: str, tokenizer: str) -> Stage:
    """The identity of a source's tokens, from the fingerprints of its examples and the tokenizer."""
    return Stage("tokens", source.name, _VERSION, {"max_length": max_length_tokens}, [examples, tokenizer])


def write_tokens(
    examples: str | Path,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    on_progress: Progress = lambda rows: None,
) -> dict[str, int]:
    """Write the tokens of all ``examples`` into ``folder``; returns counts of rows and tokens."""
    num_tokens = num_truncated = 0
    with ShardWriter(folder, TOKENS) as shards:
        for batch in iterate_shards(examples, num_rows=_ROWS_PER_BATCH):
            table, truncated = _tokens(batch, tokenizer)
            shards.write(table)
            num_tokens += len(table["token_ids"].combine_chunks().values)
            num_truncated += truncated
            on_progress(shards.num_rows)
    return {"rows_out": shards.num_rows, "num_tokens": num_tokens, "rows_truncated": num_truncated}


def load_tokenizer(folder: str | Path, *, max_length_tokens: int) -> Tokenizer:
    """The saved tokenizer, set to truncate and not to pad."""
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length_tokens)
    return tokenizer


class Encoded(NamedTuple):
    """Texts as tokens, a list a text.

    ``word_starts`` and ``words`` (``encode_words`` alone) list, for each word that has a piece left,
    the place of its first piece and the word's own number.
    """

    token_ids: list[list[int]]
    segment_ids: list[list[int]] | None
    num_truncated: int
    word_starts: list[list[int]] | None = None
    words: list[list[int]] | None = None


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str], text_pairs: Sequence[str] | None = None
) -> Encoded:
    """Tokens of texts, or of pairs by the tokenizer's own pair encoding.

    ``segment_ids`` is ``None`` where all are 0: without pairs.
    """
    if text_pairs is None:
        encodings = tokenizer.encode_batch_fast(texts)
        return Encoded([each.ids for each in encodings], None, _num_truncated(encodings))
    encodings = tokenizer.encode_batch_fast(list(zip(texts, text_pairs, strict=True)))
    segments = [_segments(each) for each in encodings]
    return Encoded([each.ids for each in encodings], segments, _num_truncated(encodings))


def encode_words(tokenizer: Tokenizer, texts: Sequence[Sequence[str]]) -> Encoded:
    """Tokens of texts that are parted into words, and where each word begins."""
    if _reads_spaces(tokenizer):
        texts = [[word if i == 0 else f" {word}" for i, word in enumerate(words)] for words in texts]
    encodings = tokenizer.encode_batch(texts, is_pretokenized=True)  # the fast one gives no word_ids
    starts, words = [], []
    for each in encodings:
        first: dict[int, int] = {}
        for place, word in enumerate(each.word_ids):
            if word is not None:
                first.setdefault(word, place)
        words.append(list(first))
        starts.append(list(first.values()))
    return Encoded([each.ids for each in encodings], None, _num_truncated(encodings), starts, words)


def _reads_spaces(tokenizer: Tokenizer) -> bool:
    """Whether a word inside a sentence is told from one at its start by the space before it (GPT)."""
    described = str(tokenizer.pre_tokenizer)
    return "ByteLevel" in described and "add_prefix_space=False" in described


def _segments(encoding: Any) -> list[int]:
    """1 for the second text: the tokenizer's types, or where it gives none (RoBERTa) its sequences."""
    types: list[int] = encoding.type_ids
    return types if any(types) else [int(sequence == 1) for sequence in encoding.sequence_ids]


def _num_truncated(encodings: Sequence[Any]) -> int:
    return sum(1 for each in encodings if each.overflowing)


def _tokens(batch: pa.RecordBatch, tokenizer: Tokenizer) -> tuple[pa.Table, int]:
    """The rows of ``TOKENS`` for a batch of examples, and how many of them were truncated."""
    is_ner = batch["words"].null_count < batch.num_rows
    tags = pa.nulls(batch.num_rows, pa.list_(pa.string()))
    starts = pa.nulls(batch.num_rows, pa.list_(pa.int32()))
    if is_ner:
        encoded = encode_words(tokenizer, batch["words"].to_pylist())
        assert encoded.words is not None
        assert encoded.word_starts is not None
        left = zip(batch["tags"].to_pylist(), encoded.words, strict=True)
        tags = pa.array([_tags_of(all_tags, words) for all_tags, words in left], tags.type)
        starts = _lists(encoded.word_starts, np.int32)
    else:
        pairs = batch["text_pair"].to_pylist() if batch["text_pair"].null_count == 0 else None
        encoded = encode_texts(tokenizer, batch["text"].to_pylist(), pairs)
    token_ids = _lists(encoded.token_ids, np.int32)
    if encoded.segment_ids is None:
        zeros = pa.array(np.zeros(len(token_ids.values), np.int8))
        segment_ids = pa.ListArray.from_arrays(token_ids.offsets, zeros)
    else:
        segment_ids = _lists(encoded.segment_ids, np.int8)
    columns = [batch["source"], batch["row"], batch["text"], batch["label"], tags]
    return pa.table([*columns, token_ids, segment_ids, starts], schema=TOKENS), encoded.num_truncated


def _tags_of(tags: list[str], words: list[int]) -> list[str]:
    """The tags of the words that are left; an entity whose first word is lost begins with the next."""
    left = []
    before = -1
    for word in words:
        tag = tags[word]
        if tag.startswith("I-") and any(tags[lost].startswith("B-") for lost in range(before + 1, word)):
            tag = f"B-{tag[2:]}"
        left.append(tag)
        before = word
    return left


def _lists(rows: Sequence[Sequence[int]], dtype: type) -> pa.ListArray:
    """Lists of numbers as one flat array and offsets, many times faster than through Python objects."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values: np.ndarray = np.fromiter(chain.from_iterable(rows), dtype, int(offsets[-1]))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
