"""Values: what a text, a label and a list of words may be in the rows of a file.

Input: a value as a format has it, such as a field of CSV, or a value of JSON, Parquet or a spreadsheet.
Output: a text, a label or a list of words. The pipeline, the command line and the Python library read files
by these functions, so that the same file has the same examples everywhere. A value that cannot be used
raises ``UnusableError`` with the end of a sentence, which the caller begins with the place of the value.

    text_of("my parcel"), text_of(42)       # "my parcel", "42"
    label_of(3.0), label_of(["refund"])     # 3, "refund"
    labels_of(["y", 1])                     # ["y", "1"]: labels of one task have one type
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterable
from datetime import date, time
from decimal import Decimal
from typing import Any

from metamapping.config.labels import SEVERAL_LABELS, NotOneLabelError, label_text, one_label
from metamapping.corpus.labels import Label, label_kind, label_value
from metamapping.corpus.word_lists import word_list

_MAX_LIST_CHARACTERS = 1_000


class UnusableError(ValueError):
    """A value that is not what its column is read for; the message says so after the value's place."""


class MissingError(UnusableError):
    """There is no value: ``None`` or NaN."""


class SeveralError(UnusableError):
    """A list of several labels or of none, or an object; its cause has the value as JSON."""


def is_nothing(value: Any) -> bool:
    """Whether a value is ``None`` or NaN.

    Args:
        value: A value of JSON, Parquet or a spreadsheet.
    """
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_blank(value: Any) -> bool:
    """Whether a value is nothing, or a text of nothing but white space.

    Args:
        value: A value of JSON, Parquet or a spreadsheet.
    """
    return is_nothing(value) or (isinstance(value, str) and not value.strip())


def text_of(value: Any) -> str:
    """Return a value as a text; a number is one, as in CSV, and so are bytes in UTF-8.

    Some programs write the texts of Parquet files as bytes.

    Args:
        value: The value.

    Raises:
        MissingError: There is no value.
        UnusableError: It is something else than a string or a number.
    """
    value = _decoded(value)
    if isinstance(value, str):
        return value
    if is_nothing(value):
        raise missing_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise no_text(value)
    # A large integer is finite, but no floating-point number, as ``isfinite`` demands.
    if not isinstance(value, int) and not math.isfinite(value):
        raise no_text(value)
    return str(value)


def label_of(value: Any) -> Label:
    """Return a value as a label: a string, a boolean or a number; a date is one as text.

    Args:
        value: The value.

    Raises:
        MissingError: There is no value.
        UnusableError: It is blank, a list of several labels, or nothing that could be a label.
    """
    value = _decoded(value)
    try:
        value = one_label(list_of_text(value) if isinstance(value, str) else value)
    except NotOneLabelError as error:
        raise several_labels(error) from error
    value = _decoded(value)
    if is_nothing(value):
        raise missing_label(value)
    if isinstance(value, date | time | Decimal):
        value = label_text(value)
    label = label_value(value)
    if label is None:
        raise no_label(value)
    return label


def labels_of(labels: Iterable[Label]) -> list[Label]:
    """Return labels of one type: as they are if they have one already, else as texts.

    Args:
        labels: The labels, from ``label_of``.
    """
    labels = list(labels)
    if len({label_kind(label) for label in labels}) < 2:
        return labels
    return [str(label_text(label)) for label in labels]


def words_of(value: Any) -> list[str]:
    """Return a value as a list of words, or of tags.

    Args:
        value: A list of strings or numbers, or a text as ``word_list`` reads it.

    Raises:
        MissingError: There is no value.
        UnusableError: It is no list, or has items that are no words.
    """
    if isinstance(value, str):
        return word_list(value)
    if is_nothing(value):
        raise MissingError(f"is missing ({value!r}): drop the row, or fill it in")
    if not isinstance(value, list | tuple):
        raise UnusableError(f"is {value!r:.60}: for ner give a list of strings")
    try:
        return [text_of(word) for word in value]
    except UnusableError as error:
        raise UnusableError(f"is {value!r:.60}: for ner give a list of strings") from error


def list_of_text(text: str) -> Any:
    """Return the list or object that a text is, as JSON or as Python writes it into CSV, or else the text.

    Args:
        text: A field of a file.
    """
    text = text.strip()
    if text[:1] not in ("[", "{") or len(text) > _MAX_LIST_CHARACTERS:
        return text
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, list | dict) else text
    return text


def _decoded(value: Any) -> Any:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def missing_text(value: Any) -> MissingError:
    """Return the error for a text that is missing.

    Args:
        value: What is there instead.
    """
    return MissingError(f"is missing ({value!r}): drop the row, or fill in its text")


def no_text(value: Any) -> UnusableError:
    """Return the error for a value that is not a text.

    Args:
        value: The value.
    """
    return UnusableError(f"is {value!r:.60}: expected a string (lists of words are for ner)")


def missing_label(value: Any) -> MissingError:
    """Return the error for a label that is missing.

    Args:
        value: What is there instead.
    """
    return MissingError(f"is missing ({value!r}): drop the row, or give it a label")


def no_label(value: Any) -> UnusableError:
    """Return the error for a value that is not a label.

    Args:
        value: The value.
    """
    return UnusableError(f"is {value!r:.60}: expected a string or a number: fix or drop the row")


def several_labels(error: NotOneLabelError) -> SeveralError:
    """Return the error for a list of several labels or of none.

    Args:
        error: Has the value as JSON.
    """
    return SeveralError(f"is {error!s:.60}: expected one label ({SEVERAL_LABELS}): fix or drop the row")


def without_surrogates(text: str) -> str:
    """Return a text with its surrogate pairs joined to characters, and lone surrogates replaced.

    Args:
        text: A text that may not be encodable as UTF-8.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def encodable(text: str) -> str:
    r"""Return a text with unpaired surrogates, which JSON can spell (``\ud83d``), joined or replaced.

    Args:
        text: The text; it is unchanged if it has none.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text)
    return text
