"""Scores of grades: labels that have an order, so that a near miss is better than a far one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from metamapping.adaptation.bootstrap import estimate, label_counts, resampled_sums, sums_by_group
from metamapping.rounds.intervals import Estimate


def grade_scores(
    pairs: Sequence[tuple[str, str | None]], order: list[str], groups: Sequence[Hashable] | None
) -> dict[str, Estimate]:
    """Mean absolute error in grades, and Cohen's kappa with quadratic weights, with intervals.

    Args:
        pairs: The true and the predicted grade of each row; ``None`` counts as the worst grade for it.
        order: The grades in their order. Rows whose label is no grade are left out.
        groups: The group of each row; the intervals are then over groups.

    Returns:
        The scores by name; none if no row has a grade.
    """
    num, rank = len(order), {grade: i for i, grade in enumerate(order)}
    graded = [i for i, (gold, _) in enumerate(pairs) if gold in rank]
    if not graded:
        return {}
    groups = None if groups is None else [groups[i] for i in graded]
    cells = []
    for gold, predicted in (pairs[i] for i in graded):
        row = rank[gold]
        worst = 0 if row > (num - 1) / 2 else num - 1
        cells.append([str(row * num + (worst if predicted is None else rank.get(predicted, worst)))])
    counts = label_counts(cells, [str(cell) for cell in range(num * num)])
    sums = [counts.sum(axis=0)[None]]
    resampled = resampled_sums([counts if groups is None else sums_by_group(counts, groups)])
    return {
        name: estimate(lambda table, score=score: score(table.reshape(-1, num, num)), sums, resampled)
        for name, score in {"MAE": mean_absolute_error, "quadratic kappa": quadratic_kappa}.items()
    }


def mean_absolute_error(table: np.ndarray) -> np.ndarray:
    """The mean distance of the predicted from the true grade.

    Args:
        table: Counts by true and predicted grade, ``(num_tables, num_grades, num_grades)``.

    Returns:
        ``(num_tables,)``.
    """
    grades = np.arange(table.shape[1])
    distances = np.abs(grades[:, None] - grades)
    errors: np.ndarray = (table * distances).sum(axis=(1, 2)) / table.sum(axis=(1, 2))
    return errors


def quadratic_kappa(table: np.ndarray) -> np.ndarray:
    """As scikit-learn's ``cohen_kappa_score``; 1 where gold and predictions are one and the same grade.

    Args:
        table: Counts by true and predicted grade, ``(num_tables, num_grades, num_grades)``.

    Returns:
        ``(num_tables,)``.
    """
    grades = np.arange(table.shape[1])
    squares = (grades[:, None] - grades) ** 2
    chance = table.sum(axis=2)[:, :, None] * table.sum(axis=1)[:, None, :]
    expected = (chance * squares).sum(axis=(1, 2)) / table.sum(axis=(1, 2))
    observed = (table * squares).sum(axis=(1, 2))
    kappa: np.ndarray = 1.0 - np.divide(observed, expected, out=np.zeros(len(table)), where=expected > 0)
    return kappa
