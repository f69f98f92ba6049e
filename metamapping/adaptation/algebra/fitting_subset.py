"""Fitting subset: the examples of a task that its adaptation hyperparameters are fitted to.

subset, labels = fitting_subset(support, num_labels)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metamapping.adaptation.algebra.support import Support
from metamapping.models.solvers.solver_constants import MAX_ITEMS

# Limits on the items that α, λ and the views' weights are fitted to. A grid of 120 points times 128,000
# scores in float32 is 60 MB.
_MAX_FITTING_SCORES, _MAX_FITTING_LABELS = 128_000, 500


def fitting_subset(support: Support, num_labels: int) -> tuple[Support, np.ndarray]:
    """The items that α, λ and the views' weights are fitted to, and the labels they are chosen from.

    Items are chosen evenly over labels. If there are very many labels, an even selection of those that
    have examples is used, and the targets are slots within that selection.

    Args:
        support: The task's examples.
        num_labels: C, the number of the task's labels.

    Returns:
        The chosen examples, and the slots of the labels.
    """
    labels = np.arange(num_labels)
    if num_labels > _MAX_FITTING_LABELS:
        present = np.unique(support.targets)
        labels = present[np.linspace(0, len(present) - 1, _MAX_FITTING_LABELS).astype(int)]
    candidates = np.flatnonzero(np.isin(support.targets, labels))
    by_label = candidates[np.argsort(support.targets[candidates], kind="stable")]
    count = min(len(by_label), MAX_ITEMS, _MAX_FITTING_SCORES // len(labels))
    rows = np.sort(by_label[np.linspace(0, len(by_label) - 1, count).astype(int)])
    slots = np.searchsorted(labels, support.targets[rows]).astype(np.int32)
    return replace(support, features=support.features[rows], targets=slots), labels


def spread_rows(keys: np.ndarray, limit: int) -> np.ndarray:
    """At most so many rows, spread evenly over their keys, whatever the order in which they were given.

    Args:
        keys: One number for each row, ``(num_rows,)``.
        limit: How many rows at most.

    Returns:
        Positions of rows, in the order of their keys.
    """
    order = np.argsort(keys, kind="stable")
    if len(order) <= limit:
        return order
    rows: np.ndarray = order[np.linspace(0, len(order) - 1, limit).astype(int)]
    return rows
