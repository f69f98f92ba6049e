"""Texts and labels of a task, read from the columns of rows.

    fields = Fields(task_type="ner")
    fields.texts(rows), fields.labels(rows)             # words and tags of all rows

By default the text is in the column `text`, the label in `label`, and a second text in `text_pair` if the
rows have it. For `ner` the words are in `words` and the tags in `tags`, or the text in `text` and the spans
in `spans`, `entities` or `label`. In rows of files without a header the text is in the first column and the
label in the last. A missing or unusable value raises ``ValueError`` with the row's number and columns.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from metamapping.cli.entity_rows import check_one_kind, columns_of, is_string
from metamapping.cli.options import PREFIX, input_source
from metamapping.cli.rows import TAGS, WORDS, NumberedRow, Row, SentenceRow, TableRow, numbers_of
from metamapping.config.sources import TaskType
from metamapping.corpus.cleaning import are_empty
from metamapping.corpus.columns import (
    Header,
    Setting,
    find_name,
    has_name,
    listed_names,
    nested_value,
    no_such_column,
    place_of,
)
from metamapping.corpus.conll import too_few_columns
from metamapping.corpus.indicators import indicated_labels
from metamapping.corpus.label_lists import label_list_of, label_lists_of
from metamapping.corpus.labels import Label
from metamapping.corpus.span_formats import has_spans, read_entities
from metamapping.corpus.spans import SpanError
from metamapping.corpus.tags import OUTSIDE, entity_type, is_tag, read_bio
from metamapping.corpus.values import (
    UnusableError,
    label_of,
    labels_of,
    text_of,
    words_of,
)
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
            Strings; for ``ner`` all strings, or all lists of words. A string of words is split at spaces.

        Raises:
            ValueError: A row has no text.
        """
        if self.is_ner:
            self._check_columns_of(rows, "text")
            numbers = numbers_of(rows, first)
            texts = [self._entity_text(row, number) for number, row in zip(numbers, rows, strict=True)]
            check_one_kind(texts, numbers)
            return texts
        column = self._column_of(rows, self.text_column, "text", number="0")
        return _read(text_of, self._column(rows, column, "text", first))

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
        return _read(text_of, self._column(rows, column, "text_pair", first))

    def labels(self, rows: Sequence[Row]) -> list[Any]:
        """The labels of rows.

        Args:
            rows: The rows.

        Returns:
            Labels of the type that the rows have, or texts if they have several, and lists of them where
            texts have any number of labels; for ``ner`` lists of spans
            for strings, and of BIO tags for words, one for each word, converted from the scheme of the rows.

        Raises:
            ValueError: A row has no valid label, or several columns of tags of which none is chosen.
        """
        if not self.is_ner:
            values = self.indicated(rows) if self.label_columns else self._label_values(rows)
            if self.is_multi_label:
                read = functools.partial(label_list_of, separator=self.label_separator)
                return list(label_lists_of(_read(read, values)))
            return labels_of(_read(label_of, values))
        if rows and isinstance(rows[0], SentenceRow) and TAGS not in rows[0]:
            place = "the input" if self.header is None else self.header.place
            problem = too_few_columns(rows[0].sentence, rows[0][WORDS][0], 2)
            raise ValueError(f"{place}: {problem}")
        texts = self.texts(rows)
        self._check_columns_of(rows, "label")
        labels = [
            self._entity_label(row, text, number)
            for number, row, text in zip(numbers_of(rows), rows, texts, strict=True)
        ]
        if texts and isinstance(texts[0], str):
            return labels
        converted = read_bio(labels, what="row", numbers=numbers_of(rows))
        self.check_tag_columns(
            rows, {tag[2:] for row_tags in converted for tag in row_tags if tag != OUTSIDE}
        )
        return converted

    def with_label_lists(self, separator: str | None = None) -> Fields:
        """The same columns, with any number of labels for each text.

        Args:
            separator: What separates labels in a field that is not a list.

        Raises:
            ValueError: The task is ``ner``, or the separator is empty.
        """
        if self.is_ner:
            raise ValueError("several labels are for texts, but ner labels words: leave --multi-label out")
        if separator is not None and not separator.strip(" "):
            raise ValueError(f"--label-separator is {separator!r}: give a text such as '|'")
        return replace(self, is_multi_label=True, label_separator=separator)

    def with_label_columns(self, label_columns: tuple[str, ...]) -> Fields:
        """The same columns, with a column of 0 and 1 for each label instead of one column of labels.

        Args:
            label_columns: The columns' names, which are the labels.

        Raises:
            ValueError: The task is ``ner``.
        """
        if self.is_ner:
            raise ValueError(
                "--label-columns is for labels of texts, but ner labels words: leave --label-columns out"
            )
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
        if self.is_ner:
            return [(_value(row, self.columns_of(row)[1]),) for row in rows]
        one = self._column_of(rows, self.label_column, "label", number="-1")
        return [tuple(_value(row, column) for column in self.label_columns or (one,)) for row in rows]

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
        if self.is_ner:
            return [not text or (isinstance(text, str) and not text.strip()) for text in texts]
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

    def columns_of(self, row: Row) -> tuple[str, str]:
        """The names of the columns of the text and of the tags or spans of a row of ``ner``.

        Args:
            row: The row.
        """
        return columns_of(row, self.text_column, self.label_column)

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
            yield place, _read_one(indicated_labels, place, named)

    def _check_columns_of(self, rows: Sequence[Row], setting: Literal["text", "label"]) -> None:
        """Check that one of the first rows of ``ner``, which may differ in their columns, has its column."""
        if not rows:
            return
        which = 0 if setting == "text" else 1
        first = itertools.islice(rows, _PEEKED_ROWS)
        if not any(_has(row, self.columns_of(row)[which]) for row in first):
            raise self._no_column(rows[0], self.columns_of(rows[0])[which], setting)

    def _entity_text(self, row: Row, number: int) -> str | list[str]:
        column, label_column = self.columns_of(row)
        value, label = _value(row, column), _value(row, label_column)
        _check_has(row, column, "text", number)
        if is_string(row, value, column=column, label=label, found=self._found(label_column)):
            return str(value)
        return _read_one(words_of, _place("text", number, column), value)

    def _entity_label(self, row: Row, text: str | list[str], number: int) -> list[Any]:
        """The spans of a string, or the tags of words."""
        _, column = self.columns_of(row)
        value = _value(row, column)
        _check_has(row, column, "label", number)
        if value is not None and (isinstance(text, str) or has_spans(text, value, self._found(column))):
            try:
                aligned = read_entities(text, value, column)
            except SpanError as error:
                raise ValueError(f"row {number}: {error}") from error
            return aligned.spans if isinstance(text, str) else aligned.tags
        tags = _read_one(words_of, _place("label", number, column), value)
        if len(text) != len(tags):
            raise ValueError(
                f"row {number} has {len(text)} words but {len(tags)} tags ({listed(tags)}): "
                "give one tag for each word, or drop the row"
            )
        return tags

    def _found(self, column: str) -> str | None:
        """The column of labels if it was found, and not given."""
        return column if self.label_column is None else None

    def _column(
        self, rows: Sequence[Row], name: str, setting: Setting, first: int = 1
    ) -> Iterator[tuple[str, Any]]:
        """The place of each value, for error messages, and the value."""
        if rows and not any(_has(row, name) for row in itertools.islice(rows, _PEEKED_ROWS)):
            raise self._no_column(rows[0], name, setting)
        for number, row in zip(numbers_of(rows, first), rows, strict=True):
            yield _place(setting, number, name), _value(row, name)

    def _no_column(self, row: Row, name: str, setting: Setting) -> ValueError:
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


def _place(setting: Setting, number: int, column: str) -> str:
    return f"the {setting} of row {number} (column {column!r})"


def _value(row: Row, name: str) -> Any:
    value = nested_value(row, name)
    if value is None and isinstance(row, TableRow) and (place := _number(name, row)) is not None:
        value = list(row.values())[place]
    return value


def _check_has(row: Row, name: str, setting: Setting, number: int) -> None:
    """Check that a row of ``ner`` has its column, which may be another one in other rows."""
    if not _has(row, name):
        raise ValueError(
            f"row {number} has no {name!r}, but {listed_names(row) or 'nothing'}: name its column with "
            f"--{setting}, or fix the row"
        )


def _has(row: Row, name: str) -> bool:
    return has_name(row, name) or (isinstance(row, TableRow) and _number(name, row) is not None)


def _number(name: str, row: Row) -> int | None:
    """The number of a column that is called by it."""
    if not name.removeprefix("-").isdecimal():
        return None
    return int(name) if -len(row) <= int(name) < len(row) else None


def _read(read: Callable[[Any], Value], values: Iterable[tuple[str, Any]]) -> list[Value]:
    return [_read_one(read, place, value) for place, value in values]


def _read_one(read: Callable[[Any], Value], place: str, value: Any) -> Value:
    try:
        return read(value)
    except UnusableError as error:
        raise ValueError(f"{place} {error}") from error
