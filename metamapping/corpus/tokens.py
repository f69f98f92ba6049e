"""Tokens: examples as token ids, for the encoder's own tokenizer.

In go ``examples`` shards and a tokenizer's folder, out come ``tokens`` shards: the same rows in the
same order, truncated to ``max_length_tokens``, without padding. For ``ner`` each word that is left
has the place of its first piece; words that truncation cuts off, or that have no piece at all, are
in none of ``tags``, ``word_starts`` and ``word_shapes``.

    tokenizer = load_tokenizer(folder, max_length_tokens=64)
    encoded = encode_words(tokenizer, [["Ada", "Lovelace", "wrote"]])
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from metamapping.config.schema import Source
from metamapping.corpus.records import OnProgress
from metamapping.corpus.shards import REJECTS, TOKENS, ParquetFile, ShardWriter, iterate_shards, rejects_of
from metamapping.corpus.tokenizer_file import read_tokenizer, said_by_tokenizer
from metamapping.corpus.word_shapes import shapes_of
from metamapping.corpus.wordwise import Ragged, Tokens, Wordwise
from metamapping.storage.artifacts import Stage

_VERSION = 2


class TokenLimits(NamedTuple):
    """How many tokens a text may have, special ones included; ``None``: any number."""

    min_tokens: int | None = None
    max_tokens: int | None = None


NO_LIMITS = TokenLimits()


def tokens_stage(
    source: Source, max_length_tokens: int, limits: TokenLimits, examples: str, tokenizer: str
) -> Stage:
    """The identity of a source's tokens, from the fingerprints of its examples and the tokenizer."""
    settings = {"max_length": max_length_tokens, "limits": list(limits)}
    return Stage("tokens", source.name, _VERSION, settings, [examples, tokenizer])


def write_tokens(
    examples: str | Path,
    tokenizer: Tokenizer,
    folder: Path,
    *,
    limits: TokenLimits = NO_LIMITS,
    on_progress: OnProgress = lambda rows: None,
) -> dict[str, int]:
    """Write the tokens of ``examples`` into ``folder``, and rejects; returns counts of rows and tokens."""
    truncation = tokenizer.truncation
    assert truncation is not None
    max_length = truncation["max_length"]
    wordwise = Wordwise.of(tokenizer, max_length_tokens=max_length)
    counts: Counter[str] = Counter(rows_in=0, rows_out=0, rejects=0, num_tokens=0, rows_truncated=0)
    with ShardWriter(folder, TOKENS) as shards, ParquetFile(folder / "rejects.parquet", REJECTS) as rejects:
        for batch in iterate_shards(examples):
            tokens = _tokens(batch, tokenizer, wordwise)
            rows, reasons = _rows(batch, tokens), _reasons(tokens.num_tokens, limits)
            is_kept = reasons == None  # noqa: E711  (element by element)
            if not is_kept.all():
                rejects.write(rejects_of(rows.filter(pa.array(~is_kept)), pa.array(reasons[~is_kept])))
                rows = rows.filter(pa.array(is_kept))
            shards.write(rows)
            counts["rows_in"] += batch.num_rows
            counts["rows_out"] += rows.num_rows
            counts["num_tokens"] += int(tokens.token_ids.lengths[is_kept].sum())
            counts["rows_truncated"] += int((tokens.num_tokens[is_kept] > max_length).sum())
            on_progress(counts["rows_in"])
    counts["rejects"] = counts["rows_in"] - counts["rows_out"]
    return dict(counts)


def load_tokenizer(folder: str | Path, *, max_length_tokens: int) -> Tokenizer:
    """The saved tokenizer, set to truncate and not to pad. Raises ``StoreError`` where it is damaged."""
    return read_tokenizer(Path(folder) / "tokenizer.json", max_length_tokens=max_length_tokens)


class Encoded(NamedTuple):
    """Texts as tokens, a list a text.

    ``num_tokens`` counts those of each text before it was truncated; of a pair
    that was cut it may be more.
    ``word_starts`` and ``words`` (``encode_words`` alone) list, for each word that has a piece left,
    the place of its first piece and the word's own number.
    """

    token_ids: list[list[int]]
    segment_ids: list[list[int]] | None
    num_tokens: list[int]
    word_starts: list[list[int]] | None = None
    words: list[list[int]] | None = None


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str], text_pairs: Sequence[str] | None = None
) -> Encoded:
    """Tokens of texts, or of pairs by the tokenizer's own pair encoding.

    ``segment_ids`` is ``None`` where all are 0: without pairs.
    """
    if text_pairs is None:
        encodings = said_by_tokenizer(lambda: tokenizer.encode_batch_fast(texts))
        return Encoded([each.ids for each in encodings], None, _num_tokens(encodings))
    pairs = list(zip(texts, text_pairs, strict=True))
    encodings = said_by_tokenizer(lambda: tokenizer.encode_batch_fast(pairs))
    segments = [_segments(each) for each in encodings]
    return Encoded([each.ids for each in encodings], segments, _num_tokens(encodings))


def encode_words(tokenizer: Tokenizer, texts: Sequence[Sequence[str]]) -> Encoded:
    """Tokens of texts that are parted into words, and where each word begins."""
    if _reads_spaces(tokenizer):
        texts = [[word if i == 0 else f" {word}" for i, word in enumerate(words)] for words in texts]
    # The fast one gives no word_ids.
    encodings = said_by_tokenizer(lambda: tokenizer.encode_batch(texts, is_pretokenized=True))
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
    """Whether a word inside a sentence is told from one at its start by the space before it (GPT)."""
    described = str(tokenizer.pre_tokenizer)
    return "ByteLevel" in described and "add_prefix_space=False" in described


def _segments(encoding: Any) -> list[int]:
    """1 for the second text: the tokenizer's types, or where it gives none (RoBERTa) its sequences."""
    types: list[int] = encoding.type_ids
    return types if any(types) else [int(sequence == 1) for sequence in encoding.sequence_ids]


def _num_tokens(encodings: Sequence[Any]) -> list[int]:
    return [len(each.ids) + sum(_num_plain(cut) for cut in each.overflowing) for each in encodings]


def _num_plain(encoding: Any) -> int:
    special: list[int] = encoding.special_tokens_mask
    return len(special) - sum(special)


def _tokens(batch: pa.RecordBatch, tokenizer: Tokenizer, wordwise: Wordwise | None) -> Tokens:
    """Tokens of a batch of examples, by the faster way that the tokenizer allows."""
    is_ner = batch["words"].null_count < batch.num_rows
    pairs = batch["text_pair"] if not is_ner and not batch["text_pair"].null_count else None
    if wordwise is not None:
        if is_ner:
            return wordwise.encode_words(batch["words"])
        return wordwise.encode_texts(batch["text"], pairs)
    if is_ner:
        encoded = encode_words(tokenizer, batch["words"].to_pylist())
    else:
        encoded = encode_texts(tokenizer, batch["text"].to_pylist(), pairs and pairs.to_pylist())
    token_ids = Ragged.of(encoded.token_ids)
    segments = encoded.segment_ids
    return Tokens(
        token_ids,
        Ragged(np.zeros_like(token_ids.values), token_ids.lengths)
        if segments is None
        else Ragged.of(segments),
        np.array(encoded.num_tokens, np.int64),
        None if encoded.word_starts is None else Ragged.of(encoded.word_starts),
        None if encoded.words is None else Ragged.of(encoded.words),
    )


def _rows(batch: pa.RecordBatch, tokens: Tokens) -> pa.Table:
    """The rows of ``TOKENS`` for a batch of examples."""
    tags = pa.nulls(batch.num_rows, pa.list_(pa.string()))
    starts = pa.nulls(batch.num_rows, pa.list_(pa.int32()))
    shapes = pa.nulls(batch.num_rows, pa.list_(pa.int8()))
    if tokens.words is not None and tokens.word_starts is not None:
        left = tokens.words.to_arrow(np.int32).to_pylist()
        all_tags = batch["tags"].to_pylist()
        tags = pa.array([_tags_of(*each) for each in zip(all_tags, left, strict=True)], tags.type)
        starts = tokens.word_starts.to_arrow(np.int32)
        all_shapes = map(shapes_of, batch["words"].to_pylist())
        of_left = [[row[i] for i in words] for row, words in zip(all_shapes, left, strict=True)]
        shapes = pa.array(of_left, shapes.type)
    columns = [batch["source"], batch["row"], batch["text"], batch["label"], tags]
    columns += [tokens.token_ids.to_arrow(np.int32), tokens.segment_ids.to_arrow(np.int8), starts, shapes]
    return pa.table(columns, schema=TOKENS)


def _reasons(num_tokens: np.ndarray, limits: TokenLimits) -> np.ndarray:
    """Why each text is left out, ``None`` where it stays: object ``(num_texts,)``."""
    reasons = np.full(len(num_tokens), None, dtype=object)
    if limits.min_tokens is not None:
        reasons[num_tokens < limits.min_tokens] = "too_few_tokens"
    if limits.max_tokens is not None:
        reasons[num_tokens > limits.max_tokens] = "too_many_tokens"
    return reasons


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
