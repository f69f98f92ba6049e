"""Texts and labels of a task, read from the columns of rows.

    fields = Fields(task_type="ner")
    fields.texts(rows), fields.labels(rows)             # words and tags of all rows

By default the text is in the column `text`, the label in `label`, and a second text in `text_pair` if the
rows have it. For `ner` the words are in `words` and the tags in `tags`. A missing or unusable value raises
``ValueError`` with the row's number and columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from metamapping.cli.records import TAGS, WORDS, Row
from metamapping.config.labels import SEVERAL_LABELS, NotOneLabelError, label_text, one_label
from metamapping.config.sources import TaskType
from metamapping.corpus.formats import nested_value
from metamapping.corpus.tags import read_bio
from metamapping.errors import listed

PAIR = "text_pair"


@dataclass(frozen=True)
class Fields:
    """The columns of a task, as named on the command line.

    Attributes:
        task_type: The type of the task.
        text_column: Name of the text's column. In all names a dot leads into nested fields.
        pair_column: Name of the second text's column.
        label_column: Name of the label's column.
    """

    task_type: TaskType
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None

    @property
    def is_ner(self) -> bool:
        """Whether texts are lists of words."""
        return self.task_type == "ner"

    def texts(self, rows: Sequence[Row], *, first: int = 1) -> list[Any]:
        """The texts of rows.

        Args:
            rows: The rows.
            first: Number of the first row, for error messages.

        Returns:
            Strings, or for ``ner`` lists of words. A string of words is split at spaces.

        Raises:
            ValueError: A row has no text.
        """
        column = self.text_column or (WORDS if self.is_ner else "text")
        values = _column(rows, column, "--text", first)
        if self.is_ner:
            return [_words(value, number, column) for number, value in enumerate(values, first)]
        return [_string(value, number, column) for number, value in enumerate(values, first)]

    def text_pairs(self, rows: Sequence[Row], *, first: int = 1) -> list[str] | None:
        """The second texts of rows.

        Args:
            rows: The rows.
            first: Number of the first row, for error messages.

        Returns:
            Strings, or ``None`` if no column is named and the rows have no `text_pair`.

        Raises:
            ValueError: A row has no second text, but others have one.
        """
        column = self.pair_column
        if column is None:
            if self.is_ner or self.text_column is not None or not rows or PAIR not in rows[0]:
                return None
            column = PAIR
        values = _column(rows, column, "--text-pair", first)
        return [_string(value, number, column) for number, value in enumerate(values, first)]

    def labels(self, rows: Sequence[Row]) -> list[Any]:
        """The labels of rows.

        Returns:
            Strings, or for ``ner`` lists of BIO tags, converted from the scheme of the rows.

        Raises:
            ValueError: A row has no valid label.
        """
        column = self.label_column or (TAGS if self.is_ner else "label")
        values = _column(rows, column, "--label", 1)
        if self.is_ner:
            tags = [_words(value, number, column) for number, value in enumerate(values, 1)]
            return read_bio(tags, what="row", first=1)
        return [_label(value, number, column) for number, value in enumerate(values, 1)]


def _column(rows: Iterable[Row], name: str, option: str, first: int) -> list[Any]:
    values = []
    for number, row in enumerate(rows, first):
        value = nested_value(row, name)
        if value is None and name in row:
            raise ValueError(f"row {number} has nothing in {name!r}: fix or drop the row")
        if value is None:
            raise ValueError(
                f"row {number} has no {name!r}, but {listed(row) or 'nothing'}: name its column with "
                f"{option}, or fix the row"
            )
        values.append(value)
    return values


def _string(value: Any, number: int, column: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"row {number} has {value!r:.60} in {column!r}: expected a text")
    return value


def _words(value: Any, number: int, column: str) -> list[str]:
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"row {number} has {value!r:.60} in {column!r}: for ner give a list of strings")
    return value


def _label(value: Any, number: int, column: str) -> str:
    try:
        value = one_label(value)
    except NotOneLabelError as error:
        raise ValueError(
            f"row {number} has {error!s:.60} in {column!r}: expected one label ({SEVERAL_LABELS}); "
            "fix or drop the row"
        ) from error
    label = label_text(value) if isinstance(value, str | int | float) else None
    if not label:
        raise ValueError(
            f"row {number} has {value!r:.60} in {column!r}: expected a label; fix or drop the row"
        )
    return label
