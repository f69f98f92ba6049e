"""Texts and labels of a task, read from the columns of rows.

    fields = Fields(task_type="ner")
    fields.texts(rows), fields.labels(rows)             # words and tags of all rows

By default the text is in the column `text`, the label in `label`, and a second text in `text_pair` if the
rows have it. For `ner` the words are in `words` and the tags in `tags`. In rows of files without a header
the text is in the first column and the label in the last. A missing or unusable value raises ``ValueError``
with the row's number and columns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from metamapping.cli.options import PREFIX, input_source
from metamapping.cli.rows import TAGS, WORDS, NumberedRow, Row, SentenceRow, TableRow
from metamapping.config.sources import TaskType
from metamapping.corpus.cleaning import are_empty
from metamapping.corpus.columns import (
    Header,
    Setting,
    find_name,
    has_name,
    listed_names,
    nested_value,
    place_of,
)
from metamapping.corpus.conll import too_few_columns
from metamapping.corpus.labels import Label
from metamapping.corpus.tags import OUTSIDE, entity_type, is_tag, read_bio
from metamapping.corpus.values import UnusableError, label_of, labels_of, text_of, words_of
from metamapping.errors import ConfigError, listed

Value = TypeVar("Value")

PAIR = "text_pair"
_PEEKED_ROWS = 100


@dataclass(frozen=True)
class Fields:
    """The columns of a task, as named on the command line.

    Attributes:
        task_type: The type of the task.
        text_column: Name of the text's column. In all names a dot leads into nested fields.
        pair_column: Name of the second text's column.
        label_column: Name of the label's column.
        header: The columns of the file, for error messages. Default: those of the first row.
    """

    task_type: TaskType
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None
    header: Header | None = None

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
        column = self._column_of(rows, self.text_column, WORDS if self.is_ner else "text", number="0")
        values = _column(rows, column, "text", first, self.header)
        return _read(words_of if self.is_ner else text_of, values)

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
            if self.is_ner or self.text_column is not None or not rows:
                return None
            if find_name(PAIR, rows[0]) is None:
                return None
            column = PAIR
        return _read(text_of, _column(rows, column, "text_pair", first, self.header))

    def labels(self, rows: Sequence[Row]) -> list[Any]:
        """The labels of rows.

        Args:
            rows: The rows, numbered from 1 in error messages.

        Returns:
            Labels of the type that the rows have, or texts if they have several; or for ``ner`` lists of
            BIO tags, one for each word, converted from the scheme of the rows.

        Raises:
            ValueError: A row has no valid label, or several columns of tags of which none is chosen.
        """
        column = self._column_of(rows, self.label_column, TAGS if self.is_ner else "label", number="-1")
        if self.is_ner and rows and isinstance(rows[0], SentenceRow) and TAGS not in rows[0]:
            place = "the input" if self.header is None else self.header.place
            problem = too_few_columns(rows[0].sentence, rows[0][WORDS][0], 2)
            raise ValueError(f"{place}: {problem}")
        values = _column(rows, column, "label", 1, self.header)
        if not self.is_ner:
            return labels_of(_read(label_of, values))
        tags = _read(words_of, values)
        for number, (words, row_tags) in enumerate(zip(self.texts(rows), tags, strict=True), 1):
            if len(words) != len(row_tags):
                raise ValueError(
                    f"row {number} has {len(words)} words but {len(row_tags)} tags ({listed(row_tags)}): "
                    "give one tag for each word, or drop the row"
                )
        converted = read_bio(tags, what="row", first=1)
        self.check_tag_columns(
            rows, {tag[2:] for row_tags in converted for tag in row_tags if tag != OUTSIDE}
        )
        return converted

    def values(self, rows: Sequence[Row], column: str, *, option: str) -> list[Any]:
        """The values of any other column.

        Args:
            rows: The rows, numbered from 1 in error messages.
            column: Its name; a dot leads into nested fields.
            option: The option that names it, for error messages.

        Raises:
            ValueError: A row has no value.
        """
        values = [nested_value(row, column) for row in rows]
        for number, (row, value) in enumerate(zip(rows, values, strict=True), 1):
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
        if self.is_ner:
            return [not words for words in texts]
        pairs = text_pairs if text_pairs is not None else texts
        empty = zip(are_empty(texts), are_empty(pairs), strict=True)
        return [first or second for first, second in empty]

    def check_tag_columns(self, rows: Sequence[Row], labels: Collection[Label]) -> None:
        """Check that sentences of CoNLL have one column of tags, because a second one may be a prediction.

        Args:
            rows: The rows.
            labels: The entity types of the task.

        Raises:
            ValueError: Another column has tags of these types, and no column is chosen.
        """
        if self.label_column is not None:
            return
        sentences = [row for row in rows if isinstance(row, SentenceRow)]
        labels = set(labels)
        for name in sentences[0] if sentences else ():
            if name in (WORDS, TAGS):
                continue
            values = {value for row in sentences for value in row[name]}
            is_tags = all(is_tag(value) or value in labels for value in values)
            if is_tags and labels & {entity_type(value) for value in values if value != OUTSIDE}:
                raise ValueError(
                    f"column {name} has tags of the task, as the last column has: one of them may be a "
                    f"prediction. Choose the column of the true tags, such as --label {name} or --label -1"
                )

    def _column_of(self, rows: Sequence[Row], given: str | None, default: str, *, number: str) -> str:
        """The name of a column in rows; ``number`` is the default for files without a header."""
        if rows and isinstance(rows[0], SentenceRow) and self.is_ner:
            return default  # The reader has chosen the columns.
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


def _column(
    rows: Sequence[Row], name: str, setting: Setting, first: int, header: Header | None
) -> Iterator[tuple[str, Any]]:
    """The place of each value, for error messages, and the value."""
    if rows and not any(_has(row, name) for row in itertools.islice(rows, _PEEKED_ROWS)):
        has_header = not isinstance(rows[0], NumberedRow)
        header = header or Header((), "the input")
        if not header.columns:  # each row has names of its own, or numbers
            header = replace(header, columns=list(rows[0]) if has_header else len(rows[0]))
        is_number = not has_header and name.removeprefix("-").isdecimal()
        try:
            place_of(int(name) if is_number else name, setting, header, input_source(header=has_header))
        except ConfigError as error:
            raise ValueError(str(error).removeprefix(PREFIX)) from error
    for number, row in enumerate(rows, first):
        value = nested_value(row, name)
        if value is None and isinstance(row, TableRow) and (place := _number(name, row)) is not None:
            value = list(row.values())[place]
        yield f"the {setting} of row {number} (column {name!r})", value


def _has(row: Row, name: str) -> bool:
    return has_name(row, name) or (isinstance(row, TableRow) and _number(name, row) is not None)


def _number(name: str, row: Row) -> int | None:
    """The number of a column that is called by it."""
    if not name.removeprefix("-").isdecimal():
        return None
    return int(name) if -len(row) <= int(name) < len(row) else None


def _read(read: Callable[[Any], Value], values: Iterable[tuple[str, Any]]) -> list[Value]:
    read_values = []
    for place, value in values:
        try:
            read_values.append(read(value))
        except UnusableError as error:
            raise ValueError(f"{place} {error}") from error
    return read_values
