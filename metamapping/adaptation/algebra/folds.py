"""Folds: which examples of a task are left out together.

folds = folds_of(support.features, support.targets)
"""

from __future__ import annotations

import itertools

import numpy as np


def folds_of(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The fold in which each item is left out, with at most one item of each other label: int ``(N,)``.

    The items of a label are numbered by their first feature, which carries little information and does not
    depend on the order in which they were given.

    Args:
        features: ``(N, width)``.
        targets: Label slots, integers ``(N,)``.
    """
    first = features[:, 0]
    order = np.lexsort((first, targets))
    starts = np.concatenate([[0], np.cumsum(np.bincount(targets))])
    folds = np.empty(len(targets), np.int64)
    # Items of one label with equal first features are copies of one text: they are left out together.
    for start, end in itertools.pairwise(starts):
        mine = order[start:end]
        folds[mine] = np.searchsorted(first[mine], first[mine])
    return folds
