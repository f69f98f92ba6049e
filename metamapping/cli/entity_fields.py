"""Words and tags, or texts and spans, of a task of ``ner``, read from the columns of rows.

    fields = EntityFields()
    fields.texts(rows), fields.labels(rows)             # words and tags of all rows

By default the words are in `words` and the tags in `tags`, or the text in `text` and the spans in `spans`,
`entities` or `label`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from metamapping.cli.entity_rows import check_one_kind, columns_of, is_string
from metamapping.cli.fields import Fields
from metamapping.cli.row_values import PEEKED_ROWS, check_has, has_column, place_in_row, read_one, value_of
from metamapping.cli.rows import TAGS, WORDS, Row, SentenceRow, numbers_of
from metamapping.config.sources import TaskType
from metamapping.corpus.conll import too_few_columns
from metamapping.corpus.labels import Label
from metamapping.corpus.span_formats import has_spans, read_entities
from metamapping.corpus.spans import SpanError
from metamapping.corpus.tags import OUTSIDE, entity_type, is_tag, read_bio
from metamapping.corpus.values import words_of
from metamapping.errors import listed


@dataclass(frozen=True)
class EntityFields(Fields):
    """The columns of a task of ``ner``, as named on the command line; each row may have others."""

    task_type: TaskType = "ner"

    def texts(self, rows: Sequence[Row], *, first: int = 1) -> list[Any]:
        """The texts of rows.

        Args:
            rows: The rows.
            first: Number of the first row, for error messages.

        Returns:
            All strings, or all lists of words. A string of words is split at spaces.

        Raises:
            ValueError: A row has no text.
        """
        self._check_columns_of(rows, "text")
        numbers = numbers_of(rows, first)
        texts = [self._entity_text(row, number) for number, row in zip(numbers, rows, strict=True)]
        check_one_kind(texts, numbers)
        return texts

    def text_pairs(self, rows: Sequence[Row], *, first: int = 1) -> list[str] | None:
        """``None``, unless a column of second texts is named.

        Args:
            rows: The rows.
            first: Number of the first row, for error messages.
        """
        return None if self.pair_column is None else super().text_pairs(rows, first=first)

    def labels(self, rows: Sequence[Row]) -> list[Any]:
        """The labels of rows.

        Args:
            rows: The rows.

        Returns:
            Lists of spans for strings, and of BIO tags for words, one for each word, converted from the
            scheme of the rows.

        Raises:
            ValueError: A row has no valid label, or several columns of tags of which none is chosen.
        """
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
        """Refuse labels of whole texts.

        Args:
            separator: Not read.

        Raises:
            ValueError: Always.
        """
        raise ValueError("several labels are for texts, but ner labels words: leave --multi-label out")

    def with_label_columns(self, label_columns: tuple[str, ...]) -> Fields:
        """Refuse labels of whole texts.

        Args:
            label_columns: Not read.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "--label-columns is for labels of texts, but ner labels words: leave --label-columns out"
        )

    def raw_labels(self, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """The tags or spans, as they are in the rows.

        Args:
            rows: The rows; a value that a row lacks is ``None``.
        """
        return [(value_of(row, self.columns_of(row)[1]),) for row in rows]

    def are_empty(self, texts: Sequence[Any], text_pairs: Sequence[str] | None) -> list[bool]:
        """Whether each text has no words.

        Args:
            texts: The texts, from ``texts``.
            text_pairs: Not read.
        """
        return [not text or (isinstance(text, str) and not text.strip()) for text in texts]

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

    def _check_columns_of(self, rows: Sequence[Row], setting: Literal["text", "label"]) -> None:
        """Check that one of the first rows of ``ner``, which may differ in their columns, has its column."""
        if not rows:
            return
        which = 0 if setting == "text" else 1
        first = itertools.islice(rows, PEEKED_ROWS)
        if not any(has_column(row, self.columns_of(row)[which]) for row in first):
            raise self.no_column(rows[0], self.columns_of(rows[0])[which], setting)

    def _entity_text(self, row: Row, number: int) -> str | list[str]:
        column, label_column = self.columns_of(row)
        value, label = value_of(row, column), value_of(row, label_column)
        check_has(row, column, "text", number)
        if is_string(row, value, column=column, label=label, found=self._found(label_column)):
            return str(value)
        return read_one(words_of, place_in_row("text", number, column), value)

    def _entity_label(self, row: Row, text: str | list[str], number: int) -> list[Any]:
        """The spans of a string, or the tags of words."""
        _, column = self.columns_of(row)
        value = value_of(row, column)
        check_has(row, column, "label", number)
        if value is not None and (isinstance(text, str) or has_spans(text, value, self._found(column))):
            try:
                aligned = read_entities(text, value, column)
            except SpanError as error:
                raise ValueError(f"row {number}: {error}") from error
            return aligned.spans if isinstance(text, str) else aligned.tags
        tags = read_one(words_of, place_in_row("label", number, column), value)
        if len(text) != len(tags):
            raise ValueError(
                f"row {number} has {len(text)} words but {len(tags)} tags ({listed(tags)}): "
                "give one tag for each word, or drop the row"
            )
        return tags

    def _found(self, column: str) -> str | None:
        """The column of labels if it was found, and not given."""
        return column if self.label_column is None else None
