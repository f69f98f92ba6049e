"""Splits: what one step of tuning learns from, cut at random from the examples of a task.

    rows = sample_rows(rng, targets, max_texts=64)
    support = sample_supports(rng, targets[rows], num_splits=8)      # bool (8, num_rows)
    rows = sample_pairs(rng, targets, max_texts=128)                 # where there are many labels

Everything depends only on the generator.
"""

from __future__ import annotations

import numpy as np

# The share of a label's examples that are support lies between these, so that splits have various shots.
_SMALLEST_SHARE, _LARGEST_SHARE = 0.2, 0.8


def sample_rows(rng: np.random.Generator, targets: np.ndarray, *, max_texts: int) -> np.ndarray:
    """Examples for one step: all, or if there are more than ``max_texts`` the same number of each label.

    Args:
        rng: All randomness comes from it.
        targets: Label slots, int ``(N,)``.
        max_texts: The largest number of texts; more only where that would be fewer than two of each label.

    Returns:
        Positions of examples.
    """
    if len(targets) <= max_texts:
        return np.arange(len(targets))
    labels = np.unique(targets)
    of_label = [rng.permutation(np.flatnonzero(targets == label)) for label in labels]
    per_label = max(2, max_texts // len(labels))
    return np.concatenate([rows[:per_label] for rows in of_label])


def sample_pairs(rng: np.random.Generator, targets: np.ndarray, *, max_texts: int) -> np.ndarray:
    """Two examples of each of as many labels as possible, for one step of a task of many labels.

    Args:
        rng: All randomness comes from it.
        targets: Label slots, int ``(N,)``.
        max_texts: The largest number of texts, at least two.

    Returns:
        Positions of examples; one of a label that has no second.
    """
    labels = rng.permutation(np.unique(targets))[: max_texts // 2]
    return np.concatenate([rng.permutation(np.flatnonzero(targets == label))[:2] for label in labels])


def sample_supports(rng: np.random.Generator, targets: np.ndarray, *, num_splits: int) -> np.ndarray:
    """The supports of several splits of the same examples, each with about one share of every label.

    Args:
        rng: All randomness comes from it.
        targets: Label slots, int ``(N,)``.
        num_splits: Number of splits.

    Returns:
        Bool ``(num_splits, N)``. A label with several examples has some on either side; a label's only
        example is a query, which its name has to explain.
    """
    supports = np.zeros((num_splits, len(targets)), bool)
    rows_of = [np.flatnonzero(targets == label) for label in np.unique(targets)]
    for support in supports:
        share = rng.uniform(_SMALLEST_SHARE, _LARGEST_SHARE)
        for rows in rows_of:
            count = int(np.clip(round(share * len(rows)), min(1, len(rows) - 1), len(rows) - 1))
            support[rng.permutation(rows)[:count]] = True
    return supports
