"""Packing: several short texts share a row, so that the encoder spends little on padding.

The rows of a batch of 64 texts would be as long as its longest text, and mostly padding. Here the texts, in
order of length, are split into two groups, and those of a group are put one after another into few full rows.
A token attends to those of its own text only (``models.packed_states``): features are those of texts alone.

    packing = pack_texts(lengths)               # of texts in order of length
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Attention computes a score for all pairs of positions of a row; as many cost about as much as a token does.
_PAIRS_PER_TOKEN = 500
# How many of the splits into two groups are tried.
_NUM_TRIED = 3

# The position of each text's first token, and the number and the length of the rows.
_Rows = tuple[np.ndarray, tuple[int, int]]


def pack_texts(lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Place texts in rows.

    Args:
        lengths: Number of tokens of each text, ``(num_texts,)``, in increasing order but for empty rows at
            the end, which count as one token.

    Returns:
        ``packed_starts``: int32 ``(num_texts,)``, the position of each text's first token among all positions
        of its group; ``packed_ends``: int32 ``(2,)``, the ends of the groups; ``packed_shapes``: int32
        ``(2, 2)``, the number and the length of each group's rows. A single text is one group.
    """
    tried = [_in_groups(lengths, ends) for ends in _promising_ends(lengths)]
    ends, groups = min(tried, key=lambda each: sum(_cost(*shape) for _, shape in each[1]))
    return {
        "packed_starts": np.concatenate([starts for starts, _ in groups]).astype(np.int32),
        "packed_ends": np.asarray(ends, np.int32),
        "packed_shapes": np.asarray([shape for _, shape in groups], np.int32),
    }


def _promising_ends(lengths: np.ndarray) -> list[list[int]]:
    """Ends of the two groups that cost the least if no position of a row were left over."""
    if len(lengths) == 1:
        return [[1]]
    tokens = np.cumsum(lengths)[:-1]
    below = np.maximum.accumulate(lengths)[:-1]
    above = np.maximum.accumulate(lengths[::-1])[-2::-1]
    costs = _cost(tokens / below, below) + _cost((lengths.sum() - tokens) / above, above)
    return [[int(middle) + 1, len(lengths)] for middle in np.argsort(costs, kind="stable")[:_NUM_TRIED]]


def _in_groups(lengths: np.ndarray, ends: list[int]) -> tuple[list[int], list[_Rows]]:
    return ends, [pack_group(group) for group in np.split(lengths, ends[:-1])]


def pack_group(lengths: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """Place texts in rows of one length, the best of some: short rows leave more positions over.

    Args:
        lengths: Number of tokens of each text, ``(num_texts,)``, in any order.

    Returns:
        The position of each text's first token among all positions, ``(num_texts,)``, and the number and the
        length of the rows.
    """
    longest, tokens = int(lengths.max()), int(lengths.sum())
    # As long as the longest text, or such that a number of rows would be full but for two positions each.
    fewer = {-(-tokens // (num_rows * longest)) for num_rows in (1, 2)} if len(lengths) > 1 else set()
    tried = [_first_fit(lengths, max(longest, -(-tokens // number) + 2)) for number in fewer]
    return min([_first_fit(lengths, longest), *tried], key=lambda rows: _cost(*rows[1]))


def _first_fit(lengths: np.ndarray, row_length: int) -> _Rows:
    """The longest text first, each in the first row with room for it."""
    used = np.zeros(len(lengths), np.int64)
    starts = np.zeros(len(lengths), np.int64)
    for text in np.argsort(-lengths, kind="stable"):
        row = int((used + lengths[text] <= row_length).argmax())
        starts[text] = row * row_length + used[row]
        used[row] += lengths[text]
    return starts, (int((used > 0).sum()), row_length)


def _cost(num_rows: Any, row_length: Any) -> Any:
    """What rows cost, in tokens."""
    return num_rows * row_length * (1 + row_length / _PAIRS_PER_TOKEN)
