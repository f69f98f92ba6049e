"""Padding: the tokens of several texts as arrays of one length, and which of them are pieces of which word.

batch = pad_tokens(token_ids, segment_ids, rows, num_texts=64)      # a part of the table in ``batches``
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metamapping.corpus.ragged import Ragged

Batch = dict[str, np.ndarray]

# Maximum number of tokens of a label's name; longer names are truncated.
LABEL_LENGTH = 16

# The lengths to which training batches are padded; XLA compiles the step for each of them.
_LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192)


def pad_tokens(
    token_ids: Ragged,
    segment_ids: Ragged,
    rows: Sequence[int] | np.ndarray,
    num_texts: int,
    *,
    length: int | None = None,
) -> Batch:
    """Padded tokens of some texts, and which of their states are pooled.

    The states of a pair are pooled over its second text, read in the context of the first
    (docs/experiments/pairs.md).

    Args:
        token_ids: Token ids of all texts.
        segment_ids: Segments of the same tokens; 1 at the second text of a pair.
        rows: The texts to take.
        num_texts: ``B``; rows beyond those are padding. Their first position stays visible, so that
            attention is defined.
        length: ``L``; ``None`` for the smallest length of a training batch that fits.

    Returns:
        ``token_ids``, ``segment_ids``, ``padding_mask`` and ``pool``, each ``(B, L)``.
    """
    if length is None:
        length = length_bucket(max((len(token_ids[row]) for row in rows), default=1))
    length = max(1, length)
    batch = {
        "token_ids": np.zeros((num_texts, length), np.int32),
        "segment_ids": np.zeros((num_texts, length), np.int32),
        "padding_mask": np.zeros((num_texts, length), np.int32),
    }
    batch["padding_mask"][:, 0] = 1
    for i, row in enumerate(rows):
        tokens = token_ids[row]
        batch["token_ids"][i, : len(tokens)] = tokens
        batch["segment_ids"][i, : len(tokens)] = segment_ids[row]
        batch["padding_mask"][i, : len(tokens)] = 1
    is_pair = batch["segment_ids"].any(axis=1, keepdims=True)
    batch["pool"] = np.where(is_pair, batch["segment_ids"], batch["padding_mask"]).astype(np.float32)
    return batch


def length_bucket(longest: int) -> int:
    """The smallest of the few lengths to which training batches are padded.

    Args:
        longest: The number of tokens of a batch's longest text, at most 8192.

    Returns:
        A length of at least ``longest``.
    """
    return next(length for length in _LENGTHS if length >= longest)


def word_arrays(padding_mask: np.ndarray, starts: Sequence[np.ndarray], num_words: int) -> Batch:
    """Which tokens are pieces of which word.

    A word's pieces extend to the first piece of the next word. After the last word there are assumed to be
    as many special tokens as before the first (BERT has one, GPT none).

    Args:
        padding_mask: ``(B, L)``, 1 at tokens.
        starts: The first piece of each word of each text.
        num_words: ``N``; words beyond those have no pieces.

    Returns:
        ``word_of`` ``(B, L)`` and ``piece_counts`` ``(N,)``.
    """
    word_of, first = np.full(padding_mask.shape, -1, np.int32), 0
    for row, (mask, text_starts) in enumerate(zip(padding_mask, starts, strict=False)):
        if len(text_starts):
            end = max(int(text_starts[-1]) + 1, int(mask.sum()) - int(text_starts[0]))
            tokens = np.arange(text_starts[0], end)
            words = first + np.searchsorted(text_starts, tokens, side="right") - 1
            word_of[row, tokens] = np.where(words < num_words, words, -1)
            first += len(text_starts)
    counts = np.bincount(word_of[word_of >= 0], minlength=num_words)
    return {"word_of": word_of, "piece_counts": counts.astype(np.float32)}
