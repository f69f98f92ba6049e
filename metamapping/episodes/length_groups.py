"""Grouping texts of similar length, so that the encoder spends little on padding.

for rows in by_length(lengths, max_size=64, max_padding=32): ...
ends = group_ends(lengths, num_groups=4)     # of texts that are in order of length already
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def by_length(lengths: np.ndarray, *, max_size: int, max_padding: int | None) -> Iterator[np.ndarray]:
    """Split texts into groups of similar length, shortest texts first.

    Args:
        lengths: Number of tokens of each text, ``(num_texts,)``.
        max_size: Maximum number of texts in a group.
        max_padding: Maximum number of padding tokens in a group; ``None`` for no limit.

    Yields:
        The numbers of the texts of one group, int ``(size,)``.
    """
    order = np.argsort(lengths, kind="stable")
    first = tokens = 0
    for last, length in enumerate(lengths[order]):
        size = last - first + 1
        if size > max_size or (max_padding is not None and size * length - (tokens + length) > max_padding):
            yield order[first:last]
            first, tokens = last, 0
        tokens += length
    if first < len(order):
        yield order[first:]


def group_ends(lengths: np.ndarray, num_groups: int) -> np.ndarray:
    """Split consecutive texts into groups with the least padding, by dynamic programming.

    Args:
        lengths: Number of tokens of each text, ``(num_texts,)``.
        num_groups: Number of groups, at most ``num_texts``; each gets at least one text.

    Returns:
        The end of each group, int32 ``(num_groups,)``, increasing; the last is ``num_texts``.
    """
    first, last = np.indices((len(lengths), len(lengths)))
    longest = np.maximum.accumulate(np.where(first <= last, lengths, 0), axis=1)
    padded = np.where(first <= last, (last - first + 1) * longest, np.inf)
    least, chosen = padded[0], []  # the fewest padded tokens of all texts up to the last
    for _ in range(num_groups - 1):
        with_another = least[:-1, None] + padded[1:]
        chosen.append(with_another.argmin(axis=0))
        least = with_another.min(axis=0)
    ends = [len(lengths)]
    for before in reversed(chosen):
        ends.append(int(before[ends[-1] - 1]) + 1)
    return np.asarray(ends[::-1], np.int32)
