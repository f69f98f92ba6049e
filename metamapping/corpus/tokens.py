"""Tokens: examples as token ids of the encoder's tokenizer.

Input: ``examples`` shards and a tokenizer. Output: ``tokens`` shards with the same rows in the same order,
truncated to ``max_length_tokens``, without padding. For ``ner`` there is the position of each word's first
piece; words that are truncated, or that have no piece at all, are left out of ``tags``, ``word_starts`` and
``word_shapes``.

    counts = write_tokens(examples, load_tokenizer(folder, max_length_tokens=64), tokens)
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from metamapping.config.sources import Source
from metamapping.corpus.ragged import Ragged
from metamapping.corpus.records import OnProgress
from metamapping.corpus.shards import (
    LABELS,
    REJECTS,
    TOKENS,
    ParquetFile,
    ShardWriter,
    iterate_shards,
    rejects_of,
    schema_as_in,
)
from metamapping.corpus.tokenization import encode_texts, encode_words
from metamapping.corpus.word_shapes import shapes_of
from metamapping.corpus.wordwise import Tokens, WordwiseTokenizer
from metamapping.storage.artifacts import Stage

_VERSION = 2


class TokenLimits(NamedTuple):
    """How many tokens a text may have, including special tokens; ``None`` for any number."""

    min_tokens: int | None = None
    max_tokens: int | None = None


NO_LIMITS = TokenLimits()


def tokens_stage(
    source: Source, max_length_tokens: int, limits: TokenLimits, examples: str, tokenizer: str
) -> Stage:
    """Return the identity of a source's tokens.

    Args:
        source: The source.
        max_length_tokens: The length that texts are truncated to, including special tokens.
        limits: Texts with fewer or more tokens are rejected.
        examples: The fingerprint of the source's examples.
        tokenizer: The fingerprint of the tokenizer.
    """
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
    """Write the tokens of a source as shards, and the rejected rows.

    Args:
        examples: The folder of the source's examples.
        tokenizer: The tokenizer, which must be set to truncate.
        folder: An existing folder.
        limits: Texts with fewer or more tokens are rejected.
        on_progress: Called with the number of rows done so far, after each batch.

    Returns:
        The counts ``rows_in``, ``rows_out``, ``rejects``, ``num_tokens`` and ``rows_truncated``.
    """
    truncation = tokenizer.truncation
    assert truncation is not None
    max_length = truncation["max_length"]
    wordwise = WordwiseTokenizer.of(tokenizer, max_length_tokens=max_length)
    counts: Counter[str] = Counter(rows_in=0, rows_out=0, rejects=0, num_tokens=0, rows_truncated=0)
    schema = schema_as_in(examples, TOKENS)
    with ShardWriter(folder, schema) as shards, ParquetFile(folder / "rejects.parquet", REJECTS) as rejects:
        for batch in iterate_shards(examples):
            tokens = _tokens(batch, tokenizer, wordwise)
            rows, reasons = _rows(batch, tokens), _reasons(tokens.num_tokens, limits)
            is_kept = reasons == None  # noqa: E711  (numpy compares element by element)
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


def _tokens(batch: pa.RecordBatch, tokenizer: Tokenizer, wordwise: WordwiseTokenizer | None) -> Tokens:
    """The tokens of a batch of examples, computed wordwise if the tokenizer allows it."""
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
    token_ids = Ragged.from_lists(encoded.token_ids, np.int32)
    segments = encoded.segment_ids
    return Tokens(
        token_ids,
        Ragged(np.zeros_like(token_ids.values), token_ids.offsets)
        if segments is None
        else Ragged.from_lists(segments, np.int32),
        np.array(encoded.num_tokens, np.int64),
        None if encoded.word_starts is None else Ragged.from_lists(encoded.word_starts, np.int32),
        None if encoded.words is None else Ragged.from_lists(encoded.words, np.int32),
    )


def _rows(batch: pa.RecordBatch, tokens: Tokens) -> pa.Table:
    """The ``TOKENS`` of a batch of examples."""
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
    rows = pa.table(columns, schema=TOKENS)
    return rows.append_column(LABELS, batch[LABELS.name]) if LABELS.name in batch.schema.names else rows


def _reasons(num_tokens: np.ndarray, limits: TokenLimits) -> np.ndarray:
    """Why each text is rejected, or ``None``: object ``(num_texts,)``."""
    reasons = np.full(len(num_tokens), None, dtype=object)
    if limits.min_tokens is not None:
        reasons[num_tokens < limits.min_tokens] = "too_few_tokens"
    if limits.max_tokens is not None:
        reasons[num_tokens > limits.max_tokens] = "too_many_tokens"
    return reasons


def _tags_of(tags: list[str], words: list[int]) -> list[str]:
    """The tags of the words that are left; an entity that lost its first word begins with the next one."""
    left = []
    before = -1
    for word in words:
        tag = tags[word]
        if tag.startswith("I-") and any(tags[lost].startswith("B-") for lost in range(before + 1, word)):
            tag = f"B-{tag[2:]}"
        left.append(tag)
        before = word
    return left
