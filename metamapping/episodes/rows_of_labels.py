"""Groups the rows of a label space by their labels, of which they may have any number.

A million pairs of labels and rows are in memory at once, or the rows of one label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from metamapping.episodes.growing_arrays import GrowingArrays

_PAIRS_PER_BUCKET = 1_000_000
_ROWS_PER_CHUNK = 200_000
# For each row in ascending order, its labels: label numbers and row numbers, both ``(num_pairs,)``.
Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


def labels_of_texts(growing: GrowingArrays) -> Pairs:
    """Yield the label of each text and its row.

    Args:
        growing: Has ``label_of``.
    """
    labels = growing.of("label_of")
    for first in range(0, len(labels), _ROWS_PER_CHUNK):
        chunk = labels[first : first + _ROWS_PER_CHUNK]
        yield chunk, np.arange(first, first + len(chunk))


def labels_of_sets(growing: GrowingArrays) -> Pairs:
    """Yield all labels of each text that has any number of them, and its row.

    Args:
        growing: Has ``label_sets`` and ``set_offsets``.
    """
    labels, offsets = growing.of("label_sets"), growing.of("set_offsets")
    for first in range(0, len(offsets) - 1, _ROWS_PER_CHUNK):
        ends = offsets[first : first + _ROWS_PER_CHUNK + 1]
        row_of = np.repeat(np.arange(first, first + len(ends) - 1), np.diff(ends))
        yield labels[ends[0] : ends[-1]], row_of


def labels_of_sentences(growing: GrowingArrays, num_labels: int) -> Pairs:
    """Yield the entity types that each sentence contains, and its row.

    Args:
        growing: Has ``word_labels`` and ``word_offsets``.
        num_labels: The number of entity types.
    """
    labels, offsets = growing.of("word_labels"), growing.of("word_offsets")
    for first in range(0, len(offsets) - 1, _ROWS_PER_CHUNK):
        ends = offsets[first : first + _ROWS_PER_CHUNK + 1]
        row_of = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        # A sentence counts once for each type that it contains.
        pairs = np.unique(row_of * (num_labels + 1) + labels[ends[0] : ends[-1]])
        rows, found = np.divmod(pairs, num_labels + 1)
        yield found[found > 0] - 1, first + rows[found > 0]


def group_rows(growing: GrowingArrays, num_labels: int, pairs: Callable[[], Pairs]) -> list[int]:
    """Append ``label_rows``, and return the number of rows of each label.

    The pairs are read once for each bucket of labels, so that only those of one bucket are sorted in memory.

    Args:
        growing: Where they are appended.
        num_labels: The number of labels.
        pairs: Yields the pairs of labels and rows, each time from the start.
    """
    counts = np.zeros(num_labels, np.int64)
    for labels, _ in pairs():
        counts += np.bincount(labels, minlength=num_labels)
    for first, last in _buckets(counts):
        of_bucket = []
        for labels, rows in pairs():
            mine = (labels >= first) & (labels < last)
            if last == first + 1:  # One label may have any number of rows, which are in order already.
                growing.append("label_rows", rows[mine])
            else:
                of_bucket.append((labels[mine], rows[mine]))
        if of_bucket:
            labels, rows = (np.concatenate(part) for part in zip(*of_bucket, strict=True))
            growing.append("label_rows", rows[np.argsort(labels, kind="stable")])
    return [int(count) for count in counts]


def _buckets(counts: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of labels with at most ``_PAIRS_PER_BUCKET`` rows together, or of one label."""
    first, total = 0, 0
    for label, count in enumerate(counts):
        if label > first and total + count > _PAIRS_PER_BUCKET:
            yield first, label
            first, total = label, 0
        total += count
    if len(counts):
        yield first, len(counts)
