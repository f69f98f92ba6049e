"""Fields: what a task reads in a row, its texts and labels, found by the columns' names.

    fields = Fields(task_type="ner")
    fields.text(row, 1), fields.label(row, 1)           # words and tags of the first row

Nothing said, the text stands in `text`, for `ner` in `words`; the label in `label`, for `ner` in
`tags`; a second text in `text_pair`, where the rows have one. A field that is not there, or that holds
nothing a task can read, is refused with the row's number and the columns that the row has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from metamapping.cli.records import TAGS, WORDS, Row
from metamapping.config.sources import TaskType
from metamapping.corpus.formats import nested
from metamapping.corpus.records import label_text
from metamapping.corpus.tags import MalformedTagError, find_scheme, to_bio
from metamapping.errors import listed

PAIR = "text_pair"


@dataclass(frozen=True)
class Fields:
    """The columns of a task, as the command line names them; a dotted name looks into nested fields."""

    task_type: TaskType
    text_column: str | None = None
    pair_column: str | None = None
    label_column: str | None = None

    @property
    def is_ner(self) -> bool:
        """Whether texts are lists of words."""
        return self.task_type == "ner"

    def texts(self, rows: Sequence[Row], *, first: int = 1) -> list[Any]:
        """Strings, or for ``ner`` lists of words; words in one string are parted at spaces."""
        column = self.text_column or (WORDS if self.is_ner else "text")
        values = _column(rows, column, "--text", first)
        if self.is_ner:
            return [_words(value, number, column) for number, value in enumerate(values, first)]
        return [_string(value, number, column) for number, value in enumerate(values, first)]

    def text_pairs(self, rows: Sequence[Row], *, first: int = 1) -> list[str] | None:
        """The second texts, or ``None`` where no column is named and the rows have no `text_pair`."""
        column = self.pair_column
        if column is None:
            if self.is_ner or self.text_column is not None or not rows or PAIR not in rows[0]:
                return None
            column = PAIR
        values = _column(rows, column, "--text-pair", first)
        return [_string(value, number, column) for number, value in enumerate(values, first)]

    def labels(self, rows: Sequence[Row]) -> list[Any]:
        """Labels as strings, or for ``ner`` lists of BIO tags, whatever scheme the rows have them in."""
        column = self.label_column or (TAGS if self.is_ner else "label")
        values = _column(rows, column, "--label", 1)
        if self.is_ner:
            return bio([_words(value, number, column) for number, value in enumerate(values, 1)])
        return [_label(value, number, column) for number, value in enumerate(values, 1)]


def bio(tags: list[list[str]]) -> list[list[str]]:
    """The same tags as BIO; those of IO, BIOES and BILOU are understood."""
    scheme = find_scheme({tag for row in tags for tag in row})
    made = []
    for number, row in enumerate(tags, 1):
        try:
            made.append(to_bio(row, scheme, repair=True))
        except MalformedTagError as error:
            raise ValueError(
                f"row {number} has the tag {str(error)!r}: tags are O, B-type or I-type"
            ) from error
    return made


def _column(rows: Iterable[Row], name: str, option: str, first: int) -> list[Any]:
    values = []
    for number, row in enumerate(rows, first):
        value = nested(row, name)
        if value is None and name in row:
            raise ValueError(f"row {number} has nothing in {name!r}: mend or drop the row")
        if value is None:
            raise ValueError(
                f"row {number} has no {name!r}, but {listed(row) or 'nothing'}: name its column with "
                f"{option}, or mend the row"
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
    label = label_text(value) if isinstance(value, str | int | float) else None
    if not label:
        raise ValueError(
            f"row {number} has {value!r:.60} in {column!r}: expected a label; mend or drop the row"
        )
    return label
