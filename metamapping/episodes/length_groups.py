"""Texts of like length go through the encoder together, so that little is spent on padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def by_length(lengths: np.ndarray, *, most: int, padding: int | None) -> Iterator[np.ndarray]:
    """Numbers of texts in groups of ``most`` at most, shortest texts first.

    A group that would spend more than ``padding`` tokens on padding ends before; ``None``: never.
    """
    order = np.argsort(lengths, kind="stable")
    first = tokens = 0
    for last, length in enumerate(lengths[order]):
        size = last - first + 1
        if size > most or (padding is not None and size * length - (tokens + length) > padding):
            yield order[first:last]
            first, tokens = last, 0
        tokens += length
    if first < len(order):
        yield order[first:]


def group_ends(lengths: np.ndarray, num_groups: int) -> np.ndarray:
    """Where each of ``num_groups`` groups of neighbouring texts ends, so that padding is least.

    Int32 ``(num_groups,)``, rising; the last is the number of texts. Every group has a text.
    """
    first, last = np.indices((len(lengths), len(lengths)))
    longest = np.maximum.accumulate(np.where(first <= last, lengths, 0), axis=1)
    padded = np.where(first <= last, (last - first + 1) * longest, np.inf)
    least, chosen = padded[0], []  # of all texts up to the last
    for _ in range(num_groups - 1):
        with_another = least[:-1, None] + padded[1:]
        chosen.append(with_another.argmin(axis=0))
        least = with_another.min(axis=0)
    ends = [len(lengths)]
    for before in reversed(chosen):
        ends.append(int(before[ends[-1] - 1]) + 1)
    return np.asarray(ends[::-1], np.int32)
