"""The examples of a task in a file, for the Python library.

The file is read as the sources of a run and the files of the command line are. A row that cannot be used is
an error with its number, because nothing is left out silently.

    examples = read_example_file(Path("reviews.xlsx"), Columns(text="review", label="stars"))
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from metamapping.adaptation.algebra.support import Examples, LabelListExamples
from metamapping.config.sources import Columns, Source, TaskType
from metamapping.corpus.columns import SETTINGS, find_name
from metamapping.corpus.formats import names_of_columns, read_file
from metamapping.corpus.label_lists import has_label_list, label_list_of, label_lists_of
from metamapping.corpus.labels import Label
from metamapping.corpus.rows import MALFORMED, MALFORMED_TAGS, Row, no_rows
from metamapping.corpus.source_columns import column_names
from metamapping.corpus.span_formats import NOT_ACCEPTED
from metamapping.corpus.tags import read_bio
from metamapping.corpus.values import UnusableError, encodable, label_of, labels_of, text_of, words_of
from metamapping.errors import ConfigError, listed

_NAME = "input"
_PREFIX = f"source {_NAME!r}: "
Value = TypeVar("Value")


def read_example_file(
    path: Path,
    columns: Columns,
    task_type: TaskType = "text-classification",
    *,
    multi_label: bool | None = False,
) -> Examples:
    """Read the examples of a file.

    Args:
        path: A CSV, TSV, JSONL, JSON, Parquet, CoNLL or .xlsx file.
        columns: Its columns. Default: ``text``, ``label`` (for ``ner`` ``words`` and ``tags``, or ``text``
            and ``spans``, ``entities``, ``label`` or ``labels``), and ``text_pair`` if the file has it.
        task_type: The task type.
        multi_label: Whether a text has a list of labels; ``None`` to find out.

    Returns:
        The examples. Labels have the type that the file has, or are texts if it has several.

    Raises:
        ValueError: The file or one of its rows cannot be read.

    Warns:
        UserWarning: Spans begin or end inside a word, or rows were not accepted by who annotated them.
    """
    source = Source(name=_NAME, task_type=task_type, role="test", files=[str(path)], columns=columns)
    try:
        if not path.is_file():
            raise ConfigError(f"there is no file {path}: check its path")
        source = _with_pairs(source, path)
        rows = list(read_file(path, source))
        if not rows:
            raise no_rows(source)
    except ConfigError as error:
        raise ValueError(str(error).removeprefix(_PREFIX)) from error
    if task_type == "ner":
        return _entities(rows, source, path)
    for row in rows:
        if row.fault not in (None, NOT_ACCEPTED):
            raise ValueError(f"{path}: {row.problem}")
    numbered = _accepted(rows)
    names = column_names(source)
    texts = [encodable(text) for text in _values(numbered, "text", names[0], text_of)]
    if multi_label is None:
        multi_label = any(has_label_list(row.label) for row in numbered.values())
    if multi_label:
        lists = label_lists_of(_values(numbered, "label", names[2], label_list_of))
        labels: list[Any] = [[_encodable(label) for label in row] for row in lists]
    else:
        labels = [_encodable(label) for label in labels_of(_values(numbered, "label", names[2], label_of))]
    kind = LabelListExamples if multi_label else Examples
    # The entities of CoNLL are second texts, too.
    if source.columns.text_pair is None and all(row.text_pair is None for row in numbered.values()):
        return kind(texts, labels, None)
    pairs = _values(numbered, "text_pair", source.columns.text_pair or "text_pair", text_of)
    return kind(texts, labels, [encodable(text) for text in pairs])


def _encodable(label: Label) -> Label:
    return encodable(label) if isinstance(label, str) else label


def _entities(rows: list[Row], source: Source, path: Path) -> Examples:
    """The words and tags of rows of ``ner``, which may have been spans."""
    for number, row in enumerate(rows, 1):
        if row.fault in (MALFORMED, MALFORMED_TAGS):
            raise ValueError(f"{path}: {row.problem}")
        if row.fault not in (None, NOT_ACCEPTED):
            raise ValueError(f"row {number}: {row.problem}")
    numbered = _accepted(rows)
    if widened := [number for number, row in numbered.items() if row.num_widened]:
        warnings.warn(
            f"spans begin or end inside a word, and the whole word is learned: row {listed(widened)}",
            stacklevel=5,
        )
    names = column_names(source, names_of_columns(path, source))
    words = _values(numbered, "text", names[0], words_of)
    tags = _values(numbered, "label", names[2], words_of)
    words = [[encodable(word) for word in row] for row in words]
    return Examples(
        words, [[encodable(tag) for tag in row] for row in _bio(words, tags, list(numbered))], None
    )


def _accepted(rows: list[Row]) -> dict[int, Row]:
    """The rows that annotators accepted, by their number from 1; a warning lists the others."""
    if left_out := [number for number, row in enumerate(rows, 1) if row.fault is not None]:
        warnings.warn(f"rows that were not accepted are left out: row {listed(left_out)}", stacklevel=6)
    return {number: row for number, row in enumerate(rows, 1) if row.fault is None}


def _with_pairs(source: Source, path: Path) -> Source:
    """The source with the column ``text_pair``, if the file has it and no column of texts is named."""
    columns = source.columns
    if source.task_type == "ner" or columns.text_pair is not None or columns.text is not None:
        return source
    found = find_name("text_pair", names_of_columns(path, source))
    if found is None:
        return source
    return source.model_copy(update={"columns": columns.model_copy(update={"text_pair": found})})


def _values(
    rows: dict[int, Row], setting: str, column: str | int | None, read: Callable[[Any], Value]
) -> list[Value]:
    where = "label_columns" if column is None else f"column {column!r}"
    place = SETTINGS.index(setting) + 1  # after the line
    values = []
    for number, row in rows.items():
        try:
            values.append(read(row[place]))
        except UnusableError as error:
            raise ValueError(f"the {setting} of row {number} ({where}) {error}") from error
    return values


def _bio(words: list[list[str]], tags: list[list[str]], numbers: list[int]) -> list[list[str]]:
    for number, row_words, row_tags in zip(numbers, words, tags, strict=True):
        if len(row_words) != len(row_tags):
            raise ValueError(
                f"row {number} has {len(row_words)} words but {len(row_tags)} tags ({listed(row_tags)}): "
                "give one tag for each word, or drop the row"
            )
    return read_bio(tags, what="row", numbers=numbers)
