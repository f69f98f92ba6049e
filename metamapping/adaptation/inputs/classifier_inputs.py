"""Texts and classes as scikit-learn gives them, for the classifier of ``metamapping.sklearn``.

texts, text_pairs = text_columns(X)
labels = task_labels(np.unique(y))             # classes as labels of a task
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metamapping.adaptation.inputs.input_columns import is_missing
from metamapping.adaptation.inputs.inputs import single_labels
from metamapping.config.labels import label_text
from metamapping.corpus.labels import Kind, Label, label_kind, label_value
from metamapping.corpus.values import missing_label, no_label


def class_like(label: Any, y: np.ndarray) -> Any:
    """Return the label of texts out of scope as one more class of ``y``.

    Args:
        label: The label.
        y: The labels of the examples, ``(num_texts,)``.

    Returns:
        ``(1,)``.

    Raises:
        ValueError: It is of another type than they are.
    """
    value, first = label_value(label), y[:1].tolist()
    kinds = {None if each is None else label_kind(each) for each in (value, *map(label_value, first))}
    if value is None or len(kinds) > 1:
        raise ValueError(
            f"out_of_scope is {label!r} but y has labels such as {first}: give a label of the same type"
        )
    return np.array([value], dtype=object if y.dtype == object else None)


def unwrapped(y: Any) -> Any:
    """Return ``y``, where it is a column of lists, with lists of one label unwrapped.

    Args:
        y: Labels, in whatever scikit-learn takes.

    Raises:
        ValueError: A list has several labels or none.
    """
    values = list(y) if getattr(y, "ndim", 1) == 1 and hasattr(y, "__len__") else []
    return single_labels(values) if any(isinstance(value, list | tuple | dict) for value in values) else y


def task_labels(classes: np.ndarray) -> list[Label]:
    """Return classes as labels of a task.

    Args:
        classes: The classes, ``(num_classes,)``.

    Returns:
        Strings, booleans or numbers, as they are, and all others as text.
    """
    values = classes.tolist()
    labels = [label_value(value) for value in values]
    if None in labels or len({label_kind(label) for label in labels if label is not None}) > 1:
        return [str(label_text(value)) for value in values]  # such as dates
    return [label for label in labels if label is not None]


def check_classes(y: Any) -> None:
    """Check that no label is missing, and that all have one type.

    NumPy would turn lists of them into strings: ``["a", nan]`` into ``["a", "nan"]``.

    Args:
        y: Labels, in whatever scikit-learn takes.

    Raises:
        ValueError: One is missing or of another type.
    """
    if isinstance(y, str | bytes) or not hasattr(y, "__len__"):
        return  # scikit-learn refuses it
    values = list(y) if isinstance(y, list | tuple) else np.asarray(y, dtype=object).ravel().tolist()
    kinds: dict[Kind, tuple[int, Any]] = {}
    for i, value in enumerate(values):
        if is_missing(value):
            raise ValueError(f"label {i} of y {missing_label(value)}")
        if isinstance(value, str) and not value.strip():
            raise ValueError(f"label {i} of y {no_label(value)}")
        if (label := label_value(value)) is not None:
            kinds.setdefault(label_kind(label), (i, value))
    if len(kinds) > 1:
        (i, first), (j, second), *_ = kinds.values()
        raise ValueError(f"label {j} of y is {second!r} but label {i} is {first!r}: give one type of label")


def text_columns(X: Any) -> tuple[Any, Any]:
    """Return the texts of ``X``, and the second texts if it has two columns.

    Args:
        X: Texts ``(num_texts,)`` or ``(num_texts, 1 or 2)``.

    Raises:
        ValueError: It has another shape.
    """
    if isinstance(X, str | bytes) or (isinstance(X, np.ndarray) and X.ndim == 0):
        raise ValueError(f"X is the single text {X!r:.60}: give a list of texts, such as [text]")
    if getattr(X, "ndim", 1) == 1:
        return X, None
    values = np.asarray(X)
    if values.ndim != 2 or values.shape[1] not in (1, 2):
        raise ValueError(f"X has the shape {values.shape}: expected one column of texts, or two for pairs")
    return values[:, 0], values[:, 1] if values.shape[1] == 2 else None


def unique_sorted(texts: Any, text_pairs: Any) -> tuple[Any, Any, Any]:
    """Return the distinct texts in sorted order, their pairs, and the row of each given text among them.

    The last digits of a float32 feature can depend on the text's position in its batch. Sorting makes
    the result independent of the order in which the texts are given. Values that are not strings are
    returned unchanged, for the mapping to reject with the number of their row.

    Args:
        texts: A column of texts.
        text_pairs: A column of second texts, or ``None``.
    """
    given = [*zip(texts, texts if text_pairs is None else text_pairs, strict=True)]
    if not given or not all(isinstance(text, str) for pair in given for text in pair):
        return texts, text_pairs, slice(None)
    firsts, seconds = zip(*sorted(set(given)), strict=True)
    row_of = {pair: row for row, pair in enumerate(zip(firsts, seconds, strict=True))}
    return list(firsts), None if text_pairs is None else list(seconds), [row_of[pair] for pair in given]
