"""The rows of `ner`: lists of words with tags, or strings with spans.

columns_of({"text": "Eve moved", "spans": []}, None, None)           # "text", "spans"
is_string(row, "Eve moved", column="text", label=[], found="spans")  # True: not words separated by spaces
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metamapping.cli.rows import WORDS, NumberedRow, Row, SentenceRow
from metamapping.corpus.span_formats import entity_columns, has_spans
from metamapping.corpus.spans import align, widened_note
from metamapping.corpus.tag_doubts import tag_doubts
from metamapping.corpus.word_lists import word_list


def columns_of(row: Row, text: str | None, label: str | None) -> tuple[str, str]:
    """Return the names of the columns of the text and of the annotation of a row.

    Args:
        row: The row.
        text: The column of the text, if it is given.
        label: The column of the annotation, if it is given.
    """
    if isinstance(row, SentenceRow):
        return entity_columns(("words", "tags"))  # The reader has chosen the columns.
    if isinstance(row, NumberedRow):
        return text or "0", label or "-1"
    return entity_columns(row, text, label)


def is_string(row: Row, text: Any, *, column: str, label: Any, found: str | None) -> bool:
    """Return whether a text is a string of which the entities are spans, and not a list of words.

    A string is a list of words in the column `words`, as a JSON array, and next to tags.

    Args:
        row: The row.
        text: The text.
        column: The name of its column.
        label: The annotation of the row, or ``None``.
        found: The name of the annotation's column if it was found, and not given.
    """
    if not isinstance(text, str) or column == WORDS or isinstance(row, SentenceRow):
        return False
    if text.lstrip().startswith("[") and word_list(text) != text.split():
        return False
    return label is None or label is text or has_spans(text, label, found)


def check_one_kind(texts: Sequence[Any], numbers: Sequence[int]) -> None:
    """Check that all texts are strings, or all lists of words.

    Args:
        texts: The texts.
        numbers: Number of each row, for the error message.

    Raises:
        ValueError: Some are strings and others are lists.
    """
    for number, text in zip(numbers, texts, strict=True):
        if isinstance(text, str) != isinstance(texts[0], str):
            kinds = ("a text", "words") if isinstance(text, str) else ("words", "a text")
            raise ValueError(
                f"row {number} has {kinds[0]}, but row {numbers[0]} has {kinds[1]}: write the rows of each "
                "kind to a file of their own"
            )


def cut_words_note(texts: Sequence[Any], labels: Sequence[Any], numbers: Sequence[int]) -> str | None:
    """Return a sentence about spans that begin or end inside a word, or ``None``.

    Args:
        texts: The texts of all rows.
        labels: Their spans or tags.
        numbers: Their numbers.
    """
    aligned = {
        number: align(text, spans)
        for number, text, spans in zip(numbers, texts, labels, strict=True)
        if isinstance(text, str)
    }
    return widened_note(list(aligned.values()), what="row", numbers=list(aligned))


def type_notes(texts: Sequence[Any], labels: Sequence[Any]) -> list[str]:
    """Return a sentence for each entity type that is probably another one, misspelled.

    Args:
        texts: The texts of all rows.
        labels: Their spans or tags.
    """
    return tag_doubts(
        [
            align(text, label).tags if isinstance(text, str) else label
            for text, label in zip(texts, labels, strict=True)
        ]
    )
