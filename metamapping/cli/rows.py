"""Rows of files of any format: dictionaries of a kind that says how their columns are called.

row = TableRow({"text": "my parcel", "label": "delivery"})
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from metamapping.corpus.conll_sentences import Sentence

Row = dict[str, Any]

WORDS, TAGS = "words", "tags"  # the columns of CoNLL
PREDICTION = "prediction"  # the column that predictions are written to


class KeptRows(list[Row]):
    """Rows of a file from which others were left out.

    Args:
        rows: All rows, or those that an earlier choice has kept.
        positions: The positions of those that are kept.

    Attributes:
        numbers: For each row its number in the file, from 1.
    """

    def __init__(self, rows: Sequence[Row], positions: Iterable[int]) -> None:
        positions = list(positions)
        super().__init__(rows[i] for i in positions)
        all_numbers = numbers_of(rows)
        self.numbers = [all_numbers[i] for i in positions]


def numbers_of(rows: Sequence[Row], first: int = 1) -> Sequence[int]:
    """Return the numbers by which messages call rows.

    Args:
        rows: The rows.
        first: Number of the first row, if none was left out.
    """
    return rows.numbers if isinstance(rows, KeptRows) else range(first, first + len(rows))


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Return the columns of all rows, where not every row has every one.

    Args:
        rows: The rows.
    """
    return list(dict.fromkeys(name for row in rows for name in row))


def check_columns_are_new(rows: Iterable[Row], names: Sequence[str], *, first: int = 1) -> None:
    """Check that nothing is overwritten by columns that are added.

    Args:
        rows: The rows.
        names: The columns that each row gets.
        first: The number of the first row.

    Raises:
        ValueError: A row has one of them already.
    """
    for number, row in enumerate(rows, first):
        if taken := [name for name in names if name in row]:
            raise ValueError(f"row {number} already has a column {taken[0]!r}: rename or drop it")


def numbered(row: Row, number: int) -> Row:
    """Return a row with its number in front, in the column `row`; a column of this name is replaced.

    Args:
        row: The row.
        number: Its number in the file.
    """
    return {"row": number, **{name: value for name, value in row.items() if name != "row"}}


class SpanList(list[Any]):
    """Spans, one value for each, or labels: in CSV and TSV always JSON, so that there may be none of them."""


class TableRow(Row):
    """The row of a delimited file. A column without a name is called by its number, from 0."""


class NumberedRow(TableRow):
    """The row of a file without a header: all of its columns are called by their numbers."""


class SentenceRow(Row):
    """The words of a sentence in CoNLL, and its tags if there are more columns.

    Other columns than those of words and tags are called by their numbers, from 0.

    Attributes:
        sentence: All lines of the sentence, with the comments before it.
    """

    sentence: Sentence
