"""Targets of texts that have any number of labels, as scikit-learn has them: indicator matrices, or lists.

read_targets([[1, 0], [0, 1], [1, 1]]).labels          # [[0], [1], [0, 1]]
read_targets([["login", "urgent"], []]).classes        # array(["login", "urgent"])
as_indicator([["urgent"]], ["login", "urgent"])        # [[0, 1]]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metamapping.adaptation.inputs.inputs import read_label_lists
from metamapping.corpus.label_lists import has_label_list
from metamapping.corpus.labels import Label, label_value


@dataclass(frozen=True)
class LabelTargets:
    """The labels of texts that have any number of them.

    Attributes:
        classes: All labels, in the order of an indicator matrix's columns.
        labels: The labels of each text.
    """

    classes: np.ndarray
    labels: list[list[Label]]


def read_targets(y: Any) -> LabelTargets | None:
    """Read targets that are an indicator matrix or lists of labels; ``None`` for one label a text.

    Lists of zeros and ones that all have the same length are rows of a matrix, as in scikit-learn.

    Args:
        y: A matrix of zeros and ones with at least two columns (dense, sparse, or a data frame), or a column
            of lists of labels.

    Raises:
        ValueError: A list has something that is no label.
    """
    matrix = y.toarray() if hasattr(y, "toarray") else y
    if (
        isinstance(y, list | tuple)
        and len({len(row) if isinstance(row, list | tuple) else -1 for row in y}) == 1
    ):
        matrix = np.asarray(y)
    if getattr(matrix, "ndim", 1) == 2 and matrix.shape[1] > 1 and _is_indicator(np.asarray(matrix)):
        columns = getattr(y, "columns", None)
        classes = np.arange(matrix.shape[1]) if columns is None else np.asarray(columns)
        labels = [label_value(each) for each in classes.tolist()]
        if None not in labels and len(set(labels)) == len(labels):
            rows = np.asarray(matrix).astype(bool)
            return LabelTargets(classes, [[labels[c] for c in np.flatnonzero(row)] for row in rows])  # type: ignore[misc]
    if getattr(y, "ndim", 1) != 1 or not hasattr(y, "__len__") or isinstance(y, str | bytes):
        return None
    values = list(y)
    if not any(not isinstance(value, str) and has_label_list(value) for value in values):
        return None
    lists = read_label_lists(values)
    return LabelTargets(np.unique([label for row in lists for label in row]), lists)


def as_indicator(lists: Sequence[Sequence[Label]], classes: Sequence[Label]) -> np.ndarray:
    """Lists of labels as a matrix of zeros and ones.

    Args:
        lists: The labels of each text.
        classes: The labels of the columns.

    Returns:
        Int64 ``(num_texts, num_classes)``.
    """
    column_of = {label: column for column, label in enumerate(classes)}
    indicator = np.zeros((len(lists), len(classes)), np.int64)
    for row, labels in enumerate(lists):
        indicator[row, [column_of[label] for label in labels]] = 1
    return indicator


def _is_indicator(matrix: np.ndarray) -> bool:
    return matrix.dtype.kind in "biuf" and bool(np.isin(matrix, (0, 1)).all())
