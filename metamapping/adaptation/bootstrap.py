"""Bootstrap intervals of scores that are functions of counts which are summed over rows.

Therefore all resamples of the rows are one matrix product, for any number of labels. Rows that belong
together are resampled together, if their groups are given.

    counts = [label_counts([["a"], ["b"]], ["a", "b"]), …]          # sparse, (num_rows, num_labels) each
    sums = [count.sum(axis=0)[None] for count in counts]
    estimate(accuracy, sums, resampled_sums(counts))                # 0.500 [0.000, 1.000]
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from metamapping.rounds.intervals import CONFIDENCE, NUM_RESAMPLES, SEED, Estimate

if TYPE_CHECKING:
    from scipy.sparse import csr_array


_NUMBERS_PER_PART = 10_000_000  # resamples are computed in parts of 80 MB
# Correct, gold and predicted counts, each (num_resamples, num_labels) → one score per resample.
Statistic = Callable[..., np.ndarray]


def estimate(score: Statistic, sums: list[np.ndarray], resampled: list[np.ndarray]) -> Estimate:
    """Return the score of all rows, with the percentile interval over the resamples.

    Args:
        score: The score.
        sums: Its counts, summed over all rows, ``(1, num_labels)`` each.
        resampled: The same of each resample, ``(NUM_RESAMPLES, num_labels)`` each.
    """
    ends = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(score(*resampled), ends)
    return Estimate(mean=float(score(*sums)[0]), low=float(low), high=float(high))


def resampled_sums(counts: list[csr_array]) -> list[np.ndarray]:
    """Sum counts over rows drawn with replacement, the same rows for all counts.

    Args:
        counts: Counts of each row, ``(num_rows, num_labels)`` each.

    Returns:
        ``(NUM_RESAMPLES, num_labels)`` each.
    """
    rng = np.random.default_rng(SEED)
    num_rows = counts[0].shape[0]
    part_size = max(1, _NUMBERS_PER_PART // num_rows)
    parts: list[list[np.ndarray]] = [[] for _ in counts]
    for first in range(0, NUM_RESAMPLES, part_size):
        size = min(part_size, NUM_RESAMPLES - first)
        times = rng.multinomial(num_rows, np.full(num_rows, 1 / num_rows), size=size)
        for count, part in zip(counts, parts, strict=True):
            part.append((count.T @ times.T).T)
    return [np.concatenate(part) for part in parts]


def sums_by_group(counts: csr_array, groups: Sequence[Hashable]) -> csr_array:
    """Sum counts over the rows of each group.

    Args:
        counts: Counts of each row, ``(num_rows, num_labels)``.
        groups: The group of each row.

    Returns:
        ``(num_groups, num_labels)``.
    """
    from scipy.sparse import csr_array

    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group_of = [numbers[group] for group in groups]
    entries = (np.ones(len(group_of), np.int64), (group_of, np.arange(len(group_of))))
    summed: csr_array = csr_array(entries, shape=(len(numbers), len(group_of))) @ counts
    return summed


def label_counts(rows: Sequence[Sequence[str]], labels: list[str]) -> csr_array:
    """Count how often each label occurs in each row.

    Args:
        rows: The labels of each row.
        labels: All labels.

    Returns:
        ``(num_rows, num_labels)``.
    """
    from scipy.sparse import csr_array

    column_of = {label: i for i, label in enumerate(labels)}
    lengths = [len(row) for row in rows]
    columns = [column_of[label] for row in rows for label in row]
    row_of = np.repeat(np.arange(len(rows)), lengths)
    # Entries with the same row and column are summed.
    entries = (np.ones(len(columns), np.int64), (row_of, np.array(columns, np.int64)))
    return csr_array(entries, shape=(len(rows), len(labels)))
