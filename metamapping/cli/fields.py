"""Texts and labels of a task, read from the columns of rows.

    fields = Fields("text-classification")
    fields.texts(rows), fields.labels(rows)

By default the text is in the column `text`, the label in `label`, and a second text in `text_pair` if the
rows have it. In rows of files without a header the text is in the first column and the label in the last. A
missing or unusable value raises ``ValueError`` with the row's number and columns. Words with tags, and texts
with spans: `entity_fields`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from metamapping.cli.input_source import PREFIX, input_source
from metamapping.cli.row_values import PEEKED_ROWS, has_column, place_in_row, read_all, read_one, value_of
from metamapping.cli.rows import NumberedRow, Row, numbers_of
from metamapping.config.sources import TaskType
from metamapping.corpus.cleaning import are_empty
from metamapping.corpus.columns import (
    Header,
    Setting,
    find_name,
    listed_names,
    nested_value,
    no_such_column,
    place_of,
)
from metamapping.corpus.indicators import indicated_labels
from metamapping.corpus.label_lists import label_list_of, label_lists_of
from metamapping.corpus.labels import Label
from metamapping.corpus.values import label_of, labels_of, text_of
from metamapping.errors import ConfigError

PAIR = "text_pair"


@dataclass(frozen=True)
class Fields:
    """The columns of a task, as named on the command line.

    Attributes:
        task_type: The type of the task.
        text_column: Name of the text's column. In all names a dot leads into nested fields.
        pair_column: Name of the second text's column.
        label_column: Name of the label's column.
        header: The columns of the file, for error messages. Default: those of the first row.
        is_multi_label: Whether a text has any number of labels.
        label_separator: What separates labels in a field that is not a list.
        label_columns: Names of columns of 0 and 1, one for each label, instead of one column of labels.
    """

    task_type: TaskType
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    header: Header | None = None
    is_multi_label: bool = False
    label_separator: str | None = None
    label_columns: tuple[str, ...] = ()

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
            Strings; of `EntityFields` all strings, or all lists of words.

        Raises:
            ValueError: A row has no text.
        """
        column = self._column_of(rows, self.text_column, "text", number="0")
        return read_all(text_of, self._column(rows, column, "text", first))

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
            if self.text_column is not None or not rows:
                return None
            if find_name(PAIR, rows[0]) is None:
                return None
            column = PAIR
        return read_all(text_of, self._column(rows, column, "text_pair", first))

    def labels(self, rows: Sequence[Row]) -> list[Any]:
        """The labels of rows.

        Args:
            rows: The rows.

        Returns:
            Labels of the type that the rows have, or texts if they have several, and lists of them where
            texts have any number of labels.

        Raises:
            ValueError: A row has no valid label.
        """
        values = self.indicated(rows) if self.label_columns else self._label_values(rows)
        if self.is_multi_label:
            read = functools.partial(label_list_of, separator=self.label_separator)
            return list(label_lists_of(read_all(read, values)))
        return labels_of(read_all(label_of, values))

    def with_label_lists(self, separator: str | None = None) -> Fields:
        """The same columns, with any number of labels for each text.

        Args:
            separator: What separates labels in a field that is not a list.

        Raises:
            ValueError: The separator is empty, or words are labelled.
        """
        if separator is not None and not separator.strip(" "):
            raise ValueError(f"--label-separator is {separator!r}: give a text such as '|'")
        return replace(self, is_multi_label=True, label_separator=separator)

    def with_label_columns(self, label_columns: tuple[str, ...]) -> Fields:
        """The same columns, with a column of 0 and 1 for each label instead of one column of labels.

        Args:
            label_columns: The columns' names, which are the labels.

        Raises:
            ValueError: Words are labelled.
        """
        return replace(self, label_columns=label_columns)

    def single_labels(self, labels: Sequence[Any]) -> list[Any]:
        """All labels of texts, one by one.

        Args:
            labels: The labels, from ``labels``.
        """
        return [label for row in labels for label in row] if self.is_multi_label else list(labels)

    def raw_labels(self, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """The values of the column of labels, or of all columns of 0 and 1, as they are in the rows.

        Args:
            rows: The rows; a value that a row lacks is ``None``.
        """
        one = self._column_of(rows, self.label_column, "label", number="-1")
        return [tuple(value_of(row, column) for column in self.label_columns or (one,)) for row in rows]

    def values(self, rows: Sequence[Row], column: str, *, option: str) -> list[Any]:
        """The values of any other column.

        Args:
            rows: The rows.
            column: Its name; a dot leads into nested fields.
            option: The option that names it, for error messages.

        Raises:
            ValueError: A row has no value.
        """
        values = [nested_value(row, column) for row in rows]
        for number, row, value in zip(numbers_of(rows), rows, values, strict=True):
            if value is None:
                raise ValueError(
                    f"row {number} has no {column!r}, but {listed_names(list(row))}: correct {option}, or "
                    "give every row a value"
                )
        return values

    def are_empty(self, texts: Sequence[Any], text_pairs: Sequence[str] | None) -> list[bool]:
        """Whether nothing is left of each text, or of its second text, after cleaning.

        Args:
            texts: The texts, from ``texts``.
            text_pairs: The second texts, from ``text_pairs``.
        """
        pairs = text_pairs if text_pairs is not None else texts
        empty = zip(are_empty(texts), are_empty(pairs), strict=True)
        return [first or second for first, second in empty]

    def check_tag_columns(self, rows: Sequence[Row], labels: Collection[Label]) -> None:
        """Check that the rows have one column of tags, if they have tags at all: these have not.

        Args:
            rows: The rows.
            labels: The labels of the task.
        """

    def _label_values(self, rows: Sequence[Row]) -> Iterator[tuple[str, Any]]:
        """The place of each label, for error messages, and its value in the one column of labels."""
        column = self._column_of(rows, self.label_column, "label", number="-1")
        return self._column(rows, column, "label")

    def indicated(self, rows: Sequence[Row]) -> Iterator[tuple[str, Any]]:
        """The place of each label, for error messages, and the labels whose columns are 1.

        Args:
            rows: The rows, with columns of 0 and 1.

        Raises:
            ValueError: A value is neither.
        """
        columns = [list(self._column(rows, name, "label_columns")) for name in self.label_columns]
        for number, *values in zip(numbers_of(rows), *columns, strict=True):
            place = f"the label of row {number} (--label-columns)"
            named = zip(self.label_columns, (value for _, value in values), strict=True)
            yield place, read_one(indicated_labels, place, named)

    def _column(
        self, rows: Sequence[Row], name: str, setting: Setting, first: int = 1
    ) -> Iterator[tuple[str, Any]]:
        """The place of each value, for error messages, and the value."""
        if rows and not any(has_column(row, name) for row in itertools.islice(rows, PEEKED_ROWS)):
            raise self.no_column(rows[0], name, setting)
        for number, row in zip(numbers_of(rows, first), rows, strict=True):
            yield place_in_row(setting, number, name), value_of(row, name)

    def no_column(self, row: Row, name: str, setting: Setting) -> ValueError:
        """The error for a column that none of the first rows has."""
        has_header = not isinstance(row, NumberedRow)
        header = self.header or Header((), "the input")
        if not header.columns:  # each row has names of its own, or numbers
            header = replace(header, columns=list(row) if has_header else len(row))
        number = int(name) if not has_header and name.removeprefix("-").isdecimal() else name
        columns = self.label_columns or None
        source = input_source(
            header=has_header, text=self.text_column, label=self.label_column, label_columns=columns
        )
        source = source.model_copy(update={"task_type": self.task_type})
        try:
            place_of(number, setting, header, source)
        except ConfigError as error:
            return ValueError(str(error).removeprefix(PREFIX))
        return ValueError(str(no_such_column(number, setting, header, source)).removeprefix(PREFIX))

    def _column_of(self, rows: Sequence[Row], given: str | None, default: str, *, number: str) -> str:
        """The name of a column in rows; ``number`` is the default for files without a header."""
        if given is None and rows and isinstance(rows[0], NumberedRow):
            return number
        return given or default


def without(values: Iterable[Any], left_out: Iterable[bool]) -> Iterator[Any]:
    """Yield the values that are not left out.

    Args:
        values: The values.
        left_out: For each value, whether it is left out.
    """
    return (value for value, is_out in zip(values, left_out, strict=True) if not is_out)
