"""Inputs: the columns and tables that users hold, made into checked examples.

A column is a list, a tuple, a NumPy array, a pandas or Arrow column, or one of ``datasets``; a table
is a ``pandas.DataFrame``, a ``datasets.Dataset`` or a ``pyarrow.Table``. What cannot be used is
refused with the number of its row, and nothing is guessed: a missing text is no empty text.

    examples = read_examples(["it never came", "thanks!"], ["complaint", "praise"])
    examples = read_examples(frame, columns=Columns(text="body", label="kind"))
"""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from metamapping.adaptation.support import Examples
from metamapping.config.sources import Columns, TaskType
from metamapping.corpus.records import class_names, label_text, named, whole_text
from metamapping.corpus.tags import OUTSIDE


def read_examples(
    texts: Any,
    labels: Any = None,
    *,
    text_pairs: Any = None,
    task_type: TaskType = "text-classification",
    columns: Columns | None = None,
) -> Examples:
    """Examples of a task. Raises ``ValueError`` for what cannot be learned from."""
    check_task_type(task_type)
    if _is_table(texts):
        if labels is not None or text_pairs is not None:
            raise ValueError("a table brings its labels: give it alone, and name its columns with `columns`")
        texts, labels, text_pairs = _table_columns(texts, columns or Columns(), task_type)
    elif columns is not None:
        raise ValueError("columns are for tables: give a DataFrame, a Dataset or an Arrow table")
    if labels is None:
        raise ValueError("no labels: give one a text, or use zero_shot(labels)")
    texts, labels = _values(texts, "texts"), _values(labels, "labels")
    if len(texts) != len(labels):
        raise ValueError(f"{len(texts)} texts but {len(labels)} labels: give one label a text")
    if not texts:
        raise ValueError("no examples: give a few, or use zero_shot(labels)")
    if task_type == "ner":
        if text_pairs is not None:
            raise ValueError("ner takes no text_pairs")
        words = read_word_lists(texts)
        return Examples(words, _tags(words, labels), None)
    texts, text_pairs = read_texts(texts, text_pairs)
    return Examples(texts, read_labels(labels), text_pairs)


def read_texts(texts: Any, text_pairs: Any = None) -> tuple[list[str], list[str] | None]:
    """Texts as strings, and the second texts where there are any."""
    firsts = _strings(texts, "text")
    if text_pairs is None:
        return firsts, None
    seconds = _strings(text_pairs, "text_pair")
    if len(seconds) != len(firsts):
        raise ValueError(f"{len(firsts)} texts but {len(seconds)} text_pairs: give one a text")
    return firsts, seconds


def read_word_lists(texts: Any) -> list[list[str]]:
    """Texts of ``ner`` as lists of words."""
    rows = _values(texts, "texts")
    for i, words in enumerate(rows):
        if not isinstance(words, list | tuple | np.ndarray) or not all(isinstance(w, str) for w in words):
            raise ValueError(f"text {i} is {words!r}: for ner a text is a list of words")
    return [[_encodable(word) for word in words] for words in rows]


def read_labels(labels: Any) -> list[str]:
    """Labels as strings: whole numbers are written out."""
    values = _values(labels, "labels")
    numbered = isinstance(values[0], int | float) if values else False
    read = []
    for i, value in enumerate(values):
        if _is_missing(value):
            raise ValueError(f"label {i} is missing ({value!r}): drop the row, or write its label")
        label = label_text(value) if isinstance(value, str | int | float) else None
        if label is None:
            raise ValueError(f"label {i} is {value!r}: expected a string or a number: mend or drop the row")
        if isinstance(value, int | float) != numbered:
            raise ValueError(f"label {i} is {value!r} but label 0 is {values[0]!r}: give one kind of label")
        read.append(_encodable(label))
    return read


def read_label_names(label_names: Map[Any, str] | None) -> dict[str, str]:
    """Readable words by label, the labels written out as ``read_labels`` does."""
    names = {str(label_text(label)): name for label, name in (label_names or {}).items()}
    for label, name in names.items():
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"label_names has {name!r} for {label!r}: expected the words it is read as")
    return {label: _encodable(name) for label, name in names.items()}


def check_task_type(task_type: str) -> None:
    """Refuse what is no task type."""
    if task_type not in get_args(TaskType):
        raise ValueError(f"task_type {task_type!r} is not one of {', '.join(get_args(TaskType))}")


def _strings(column: Any, what: str) -> list[str]:
    values = _values(column, f"{what}s")
    for i, value in enumerate(values):
        if _is_missing(value):
            raise ValueError(f"{what} {i} is missing ({value!r}): drop the row, or write what it says")
        if not isinstance(value, str):
            raise ValueError(f"{what} {i} is {value!r}: expected a string (lists of words are for ner)")
    return [_encodable(value) for value in values]


def _tags(texts: list[list[str]], labels: list[Any]) -> list[list[str]]:
    for i, (words, tags) in enumerate(zip(texts, labels, strict=True)):
        if not isinstance(tags, list | tuple | np.ndarray) or len(words) != len(tags):
            raise ValueError(
                f"text {i} has {len(words)} words, but its label is {tags!r}: give one tag a word"
            )
        for tag in tags:
            if tag != OUTSIDE and (not isinstance(tag, str) or tag[:2] not in ("B-", "I-")):
                raise ValueError(f"text {i} has the tag {tag!r}: tags are O, B-type or I-type")
    return [[_encodable(tag) for tag in tags] for tags in labels]


def _encodable(text: str) -> str:
    """The same text; halves of characters, which JSON may spell (\\ud83d alone), joined or replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return whole_text(text)
    return text


def _is_missing(value: Any) -> bool:
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _values(column: Any, what: str) -> list[Any]:
    """A column's values as Python's own; numbered classes of ``datasets`` by their names."""
    if isinstance(column, list):
        return [value.item() if isinstance(value, np.generic) else value for value in column]
    if isinstance(column, str | bytes | dict) or not hasattr(column, "__len__"):
        raise ValueError(f"{what} is {type(column).__name__} {column!r:.60}: expected a list or a column")
    if _is_table(column):
        raise ValueError(f"{what} is a whole table: give one of its columns")
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return list(column.to_pylist())
    names = class_names(getattr(column, "features", None))
    if names is not None:
        return [named(value, names) for value in column]
    if getattr(column, "ndim", 1) != 1:
        raise ValueError(f"{what} has {column.ndim} dimensions: expected one column")
    return list(column.tolist() if hasattr(column, "tolist") else column)


def _is_table(value: Any) -> bool:
    return _column_names(value) is not None


def _column_names(value: Any) -> list[Any] | None:
    """The columns of a table, ``None`` of anything else."""
    # By what it can do, so that datasets need not be imported to ask.
    for attribute in ("column_names", "columns"):
        names = getattr(value, attribute, None)
        if isinstance(names, dict):
            raise ValueError(f"several splits ({', '.join(names)}): give one of them")
        if names is not None:
            return list(names)
    return None


def _table_columns(table: Any, columns: Columns, task_type: TaskType) -> tuple[Any, Any, Any]:
    names = _column_names(table) or []
    label = "tags" if task_type == "ner" else "label"
    pair = columns.text_pair
    if pair is None and columns.text is None and "text_pair" in names and task_type != "ner":
        pair = "text_pair"
    wanted = [
        "text" if columns.text is None else columns.text,
        label if columns.label is None else columns.label,
        *([] if pair is None else [pair]),
    ]
    for name in wanted:
        if name not in names:
            raise ValueError(
                f"the table has no column {name!r}; it has {', '.join(map(str, names))}: name the right "
                "one, as in columns=Columns(text=..., label=...)"
            )
    return table[wanted[0]], table[wanted[1]], None if pair is None else table[wanted[2]]
