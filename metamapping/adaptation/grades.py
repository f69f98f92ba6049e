"""Grades: tasks whose labels have an order, such as stars or severity.

The mapping is that of any task. But from its probabilities the *median* grade is predicted: the first one up
to which they sum to one half, which has the smallest expected distance to the true grade. The most probable
label does not know that it is better to be one grade off than four. The figures: docs/experiments/grades.md.

    order = read_grades(["bad", "ok", "good"])
    median_grades(probabilities)                # slots (num_texts,)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.inputs import read_labels
from metamapping.config.labels import label_text
from metamapping.corpus.labels import Label
from metamapping.errors import listed


def read_grades(ordinal: Any) -> list[Label]:
    """Read the grades of a task, in their order.

    Args:
        ordinal: A column of labels, from one end to the other.

    Raises:
        ValueError: There are fewer than two, or one occurs twice.
    """
    grades = read_labels(ordinal)
    texts = [label_text(grade) for grade in grades]
    twice = [grade for grade, text in zip(grades, texts, strict=True) if texts.count(text) > 1]
    if twice:
        raise ValueError(f"ordinal has {twice[0]!r} twice: give each grade once, from one end to the other")
    if len(grades) < 2:
        raise ValueError(f"ordinal is {listed(grades)}: give at least two grades, from one end to the other")
    return grades


def check_grades(labels: Sequence[Label], grades: Sequence[Label]) -> None:
    """Check that labels are grades of a task.

    Args:
        labels: The labels of examples.
        grades: The task's grades.

    Raises:
        ValueError: One is not.
    """
    known = {label_text(grade) for grade in grades}
    for row, label in enumerate(labels):
        if label_text(label) not in known:
            raise ValueError(f"label {row} is {label!r}, which is not one of the grades {listed(grades)}")


def median_grades(probabilities: np.ndarray) -> np.ndarray:
    """The median grade of each text.

    Args:
        probabilities: ``(num_texts, num_grades)`` in the order of the grades; rows sum to 1.

    Returns:
        Slots, int ``(num_texts,)``.
    """
    cumulative = probabilities.cumsum(axis=-1)
    slots: np.ndarray = (cumulative < 0.5 * cumulative[:, -1:]).sum(axis=-1)
    return slots
