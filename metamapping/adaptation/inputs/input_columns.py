"""Columns and tables that users pass in, as plain Python values.

A column is a list, a tuple, a NumPy array, a pandas or Arrow column, or a column of ``datasets``; a table
is a ``pandas.DataFrame``, a ``datasets.Dataset`` or a ``pyarrow.Table``.

    texts, labels, _ = table_columns(frame, Columns(text="body", label="kind"), "text-classification")
    values_of(texts, "texts")                                      # ["it never came", "thanks!"]
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from metamapping.config.sources import Columns, TaskType
from metamapping.corpus.columns import find_name
from metamapping.corpus.indicators import indicated_labels
from metamapping.corpus.labels import class_names, label_name
from metamapping.corpus.span_formats import entity_columns
from metamapping.corpus.values import UnusableError


def is_missing(value: Any) -> bool:
    """Whether a value is ``None``, NaN, or a missing value of pandas."""
    if value is None or isinstance(value, float):
        return value is None or math.isnan(value)
    # Importing pandas takes as long as loading an encoder; without it none of its values can be here.
    pandas: Any = sys.modules.get("pandas")
    return pandas is not None and bool(pandas.api.types.is_scalar(value) and pandas.isna(value))


def values_of(column: Any, what: str) -> list[Any]:
    """Return a column's values as Python objects; class numbers of ``datasets`` become class names.

    Args:
        column: The column.
        what: What it contains, for error messages.

    Raises:
        ValueError: It is not a column.
    """
    if isinstance(column, str | bytes | dict) or not hasattr(column, "__len__"):
        raise ValueError(
            f"{what} is {type(column).__name__} {column!r:.60}: expected a list or a column (or, for "
            "examples in a file, its Path)"
        )
    if is_table(column):
        raise ValueError(f"{what} is a whole table: give one of its columns")
    if hasattr(column, "to_pylist"):  # a column of Arrow, which need not be installed
        return list(column.to_pylist())
    names = class_names(getattr(column, "features", None))
    if names is not None:
        return [label_name(value, names) for value in column]
    if getattr(column, "ndim", 1) != 1:
        raise ValueError(f"{what} has {column.ndim} dimensions: expected one column")
    values = column.tolist() if hasattr(column, "tolist") else column
    # Lists, and columns of objects, may contain scalars of NumPy.
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def is_table(value: Any) -> bool:
    """Whether a value is a table, which has names of columns.

    Raises:
        ValueError: It is several tables, one for each split.
    """
    return _column_names(value) is not None


def _column_names(value: Any) -> list[Any] | None:
    """The names of a table's columns; ``None`` for anything that is not a table."""
    # Tables are recognized by their attributes, so that datasets need not be imported.
    for attribute in ("column_names", "columns"):
        names = getattr(value, attribute, None)
        if isinstance(names, dict):
            raise ValueError(f"several splits ({', '.join(names)}): give one of them")
        if names is not None:
            return list(names)
    return None


def table_columns(table: Any, columns: Columns, task_type: TaskType) -> tuple[Any, Any, Any]:
    """Return the columns of texts, labels and second texts; the last is ``None`` for single texts.

    Args:
        table: The table.
        columns: The names of its columns, of which those that are ``None`` have their default.
        task_type: The task type.

    Raises:
        ValueError: The table has no such column.
    """
    if columns.label_columns is not None:
        return _columns_and_indicated(table, columns, task_type)
    names = _column_names(table) or []
    text, label = _text_and_label(names, columns, task_type)
    pair = columns.text_pair
    if pair is None and columns.text is None and "text_pair" in names and task_type != "ner":
        pair = "text_pair"
    advice = "name the right one, as in columns=Columns(text=..., label=...)"
    found = [table[_found(name, names, advice)] for name in (text, label)]
    return found[0], found[1], None if pair is None else table[_found(pair, names, advice)]


def _columns_and_indicated(table: Any, columns: Columns, task_type: TaskType) -> tuple[Any, Any, Any]:
    """As ``table_columns``, of a table that has a column of 0 and 1 for each label."""
    if task_type == "ner":
        raise ValueError("label_columns are for labels of whole texts, but ner labels words: leave them out")
    names, labels = _column_names(table) or [], columns.label_columns or []
    found = {label: _found(label, names, "correct label_columns") for label in labels}
    single = columns.model_copy(update={"label_columns": None, "label": found[labels[0]]})
    texts, _, pairs = table_columns(table, single, task_type)
    values = zip(*(values_of(table[column], label) for label, column in found.items()), strict=True)
    rows = []
    for i, row in enumerate(values):
        try:
            rows.append(indicated_labels(zip(labels, row, strict=True)))
        except UnusableError as error:
            raise ValueError(f"label {i} {error}") from error
    return texts, rows, pairs


def _text_and_label(names: list[Any], columns: Columns, task_type: TaskType) -> tuple[str | int, str | int]:
    text, label = columns.text, columns.label
    defaults = ("text", "label")
    if task_type == "ner":
        given = [None if name is None else str(name) for name in (text, label)]
        defaults = entity_columns([name for name in names if isinstance(name, str)], *given)
    return defaults[0] if text is None else text, defaults[1] if label is None else label


def _found(name: str | int, names: list[Any], advice: str) -> Any:
    """The column of a name; an error with the advice if there is none."""
    column = _find(name, names)
    if column is None:
        raise ValueError(f"the table has no column {name!r}; it has {', '.join(map(str, names))}: {advice}")
    return column


def _find(name: str | int, names: list[Any]) -> Any:
    """The column of a name, which may be a number; ``None`` if there is none."""
    if name in names:
        return name
    return (
        find_name(name, [each for each in names if isinstance(each, str)]) if isinstance(name, str) else None
    )
