"""Inputs: validates the columns and tables that users pass in, and converts them to examples.

A value that cannot be used is rejected with the number of its row, and nothing is guessed: a missing text is
not an empty text.

    examples = read_examples(["it never came", "thanks!"], ["complaint", "praise"])
    examples = read_examples(frame, columns=Columns(text="body", label="kind"))
"""

from __future__ import annotations

import warnings
from collections import abc
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import numpy as np

from metamapping.adaptation.algebra.support import Examples, LabelListExamples
from metamapping.adaptation.inputs.input_columns import is_missing, is_table, table_columns, values_of
from metamapping.adaptation.inputs.span_inputs import Bounds, align_examples, are_strings, split_texts
from metamapping.config.labels import NotOneLabelError, label_keys, one_label
from metamapping.config.sources import Columns, TaskType
from metamapping.corpus.label_lists import has_label_list, label_list_of
from metamapping.corpus.labels import Label, label_kind, label_value
from metamapping.corpus.spans import widened_note
from metamapping.corpus.tags import read_bio
from metamapping.corpus.values import (
    UnusableError,
    encodable,
    missing_label,
    missing_text,
    no_label,
    no_text,
    several_labels,
)


def read_examples(
    texts: Any,
    labels: Any = None,
    *,
    text_pairs: Any = None,
    task_type: TaskType = "text-classification",
    columns: Columns | None = None,
    multi_label: bool | None = False,
) -> Examples:
    """Read the examples of a task from columns, or from a table.

    Args:
        texts: A column of texts (for ``ner`` of strings or of lists of words), a table, or the ``Path`` of a
            file.
        labels: A column of labels (for ``ner`` of lists of spans or of tags); part of the table or file if
            one is given.
        text_pairs: A column of second texts; part of the table or file if one is given.
        task_type: The task type.
        columns: The names of a table's or file's columns.
        multi_label: Whether a text has a list of labels; ``None`` to find out: if any value is a list of
            several labels or of none.

    Raises:
        ValueError: The examples cannot be learned from.

    Warns:
        UserWarning: Spans begin or end inside a word.
    """
    check_task_type(task_type)
    if task_type == "ner" and multi_label:
        raise ValueError("several labels are for texts, but ner labels words: leave multi_label out")
    if isinstance(texts, PathLike):
        if labels is not None or text_pairs is not None:
            raise ValueError("a file contains its labels: give it alone, and name its columns with `columns`")
        # The readers of all formats, which columns in memory need not wait for.
        from metamapping.adaptation.inputs.example_files import read_example_file

        return read_example_file(Path(texts), columns or Columns(), task_type, multi_label=multi_label)
    if is_table(texts):
        if labels is not None or text_pairs is not None:
            raise ValueError(
                "a table contains its labels: give it alone, and name its columns with `columns`"
            )
        texts, labels, text_pairs = table_columns(texts, columns or Columns(), task_type)
    elif columns is not None:
        raise ValueError("columns are for tables: give a DataFrame, a Dataset, an Arrow table, or a Path")
    if labels is None:
        raise ValueError("no labels: give one for each text, or use zero_shot(labels)")
    texts, labels = values_of(texts, "texts"), values_of(labels, "labels")
    if len(texts) != len(labels):
        raise ValueError(f"{len(texts)} texts but {len(labels)} labels: give one label for each text")
    if not texts:
        raise ValueError("no examples: give a few, or use zero_shot(labels)")
    if task_type == "ner":
        if text_pairs is not None:
            raise ValueError("ner does not support text_pairs: leave them out")
        return _read_entities(texts, labels)
    texts, text_pairs = read_texts(texts, text_pairs)
    if multi_label or (multi_label is None and any(map(has_label_list, labels))):
        return LabelListExamples(texts, read_label_lists(labels), text_pairs)
    return Examples(texts, read_labels(labels), text_pairs)


def read_texts(texts: Any, text_pairs: Any = None) -> tuple[list[str], list[str] | None]:
    """Read a column of texts, and the column of second texts if there is one.

    Args:
        texts: A column of texts.
        text_pairs: A column of second texts of the same length; ``None`` for single texts.

    Returns:
        The texts, and the second texts or ``None``.

    Raises:
        ValueError: A value is missing or not a string, or the columns differ in length.
    """
    firsts = _strings(texts, "text")
    if text_pairs is None:
        return firsts, None
    seconds = _strings(text_pairs, "text_pair")
    if len(seconds) != len(firsts):
        raise ValueError(
            f"{len(firsts)} texts but {len(seconds)} text_pairs: give one text_pair for each text"
        )
    return firsts, seconds


def read_word_lists(texts: Any) -> list[list[str]]:
    """Read a column of ``ner`` texts, each a list of words.

    Args:
        texts: A column of lists of words.

    Returns:
        The words of each text.

    Raises:
        ValueError: A value is not a list of strings.
    """
    rows = values_of(texts, "texts")
    for i, words in enumerate(rows):
        if not isinstance(words, list | tuple | np.ndarray) or not all(isinstance(w, str) for w in words):
            raise ValueError(f"text {i} is {words!r}: for ner a text is a list of words")
    return [[encodable(word) for word in words] for words in rows]


def read_ner_texts(texts: Any) -> tuple[list[list[str]], list[str] | None, list[Bounds]]:
    """Read a column of ``ner`` texts: all strings, or all lists of words.

    Args:
        texts: A column of strings, or of lists of words.

    Returns:
        The words of each text; and, for strings, the strings, and the starts and ends of the words in them.

    Raises:
        ValueError: A value is neither, or some are strings and others lists.
    """
    values = values_of(texts, "texts")
    if not are_strings(values):
        return read_word_lists(values), None, []
    words, bounds = split_texts(values)
    return [[encodable(word) for word in row] for row in words], values, bounds


def read_labels(labels: Any) -> list[Label]:
    """Read a column of labels as Python strings, booleans or numbers; ``3.0`` is read as ``3``.

    Args:
        labels: A column of labels; a list of one label counts as that label.

    Returns:
        One label for each row, all of one type.

    Raises:
        ValueError: A value is missing, blank or a list of several labels, or strings, booleans and numbers
            are mixed.
    """
    values = single_labels(values_of(labels, "labels"))
    read: list[Label] = []
    for i, value in enumerate(values):
        if is_missing(value):
            raise ValueError(f"label {i} {missing_label(value)}")
        label = label_value(value)
        if label is None:
            raise ValueError(f"label {i} {no_label(value)}")
        read.append(encodable(label) if isinstance(label, str) else label)
        if label_kind(label) != label_kind(read[0]):
            raise ValueError(f"label {i} is {value!r} but label 0 is {values[0]!r}: give one type of label")
    return read


def read_label_lists(values: list[Any]) -> list[list[Label]]:
    """Read the labels of texts that have any number of them.

    Args:
        values: Lists of labels; a single label counts as a list of it.

    Returns:
        The different labels of each text, all of one type.

    Raises:
        ValueError: A value is missing, or has something that is no label, or strings, booleans and numbers
            are mixed.
    """
    rows: list[list[Label]] = []
    first: tuple[int, Label] | None = None
    for i, value in enumerate(values):
        if is_missing(value):
            raise ValueError(f"label {i} is missing ({value!r}): give a list of labels, or [] for none")
        try:
            labels = label_list_of(value)
        except UnusableError as error:
            raise ValueError(f"label {i} {error}") from error
        rows.append([encodable(label) if isinstance(label, str) else label for label in labels])
        for label in labels:
            first = first or (i, label)
            if label_kind(label) != label_kind(first[1]):
                raise ValueError(
                    f"label {i} has {label!r} but label {first[0]} has {first[1]!r}: give one type of label"
                )
    return rows


def single_labels(values: list[Any]) -> list[Any]:
    """Return labels with those that are lists of one label unwrapped.

    Args:
        values: Labels, or lists of labels.

    Returns:
        One label for each value.

    Raises:
        ValueError: A value is a list of several labels or of none.
    """
    labels = []
    for i, value in enumerate(values):
        try:
            labels.append(one_label(value))
        except NotOneLabelError as error:
            raise ValueError(f"label {i} {several_labels(error)}") from error
    return labels


def read_label_names(label_names: abc.Mapping[Any, str] | None) -> dict[str, str]:
    """Read the readable words of labels, by the labels as text: ``1``, ``1.0`` and ``"1"`` are the same.

    Args:
        label_names: Readable words by label; ``None`` for no names.

    Returns:
        Readable words by label as text.

    Raises:
        ValueError: A name is not a string, or blank, or a label has two names.
    """
    try:
        names = label_keys(label_names or {})
    except ValueError as error:
        raise ValueError(f"label_names: {error}") from error
    for label, name in names.items():
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"label_names has {name!r} for {label!r}: expected its readable words")
    return {label: encodable(name) for label, name in names.items()}


def check_task_type(task_type: str) -> None:
    """Check the name of a task type.

    Args:
        task_type: The name as given by the user.

    Raises:
        ValueError: It is not one of ``TaskType``.
    """
    if task_type not in get_args(TaskType):
        raise ValueError(f"task_type {task_type!r} is not one of {', '.join(get_args(TaskType))}")


def _strings(column: Any, what: str) -> list[str]:
    values = values_of(column, f"{what}s")
    for i, value in enumerate(values):
        if is_missing(value):
            raise ValueError(f"{what} {i} {missing_text(value)}")
        if not isinstance(value, str):
            raise ValueError(f"{what} {i} {no_text(value)}")
    return [encodable(value) for value in values]


def _read_entities(texts: list[Any], labels: list[Any]) -> Examples:
    aligned = align_examples(texts, labels)
    if aligned is None:
        words = read_word_lists(texts)
        return Examples(words, _read_tags(words, labels), None)
    if note := widened_note(aligned, what="text"):
        warnings.warn(note, stacklevel=4)
    words = [[encodable(word) for word in each.words] for each in aligned]
    return Examples(words, [[encodable(tag) for tag in each.tags] for each in aligned], None)


def _read_tags(texts: list[list[str]], labels: list[Any]) -> list[list[str]]:
    for i, (words, tags) in enumerate(zip(texts, labels, strict=True)):
        if not isinstance(tags, list | tuple | np.ndarray) or len(words) != len(tags):
            raise ValueError(
                f"text {i} has {len(words)} words, but its label is {tags!r}: give one tag for each word"
            )
    converted = read_bio(labels, what="text")
    return [[encodable(tag) for tag in tags] for tags in converted]
