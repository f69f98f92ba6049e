"""Labels: their one spelling, however a file, a setting or a caller writes them.

Input: a label as it was read. Output: its text. Numbers are compared by value: ``1``, ``1.0``, ``"1"`` and
``"1.0"`` are one label, because a column of whole numbers with one missing value is read, and written again,
as floating-point numbers. Every entry point spells labels by ``label_text``: sources and their settings, the
command line, the Python library and the server.

    label_text(1.0), label_text("1.0"), label_text(" refund ")      # "1", "1", "refund"
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from metamapping.errors import listed

# A whole number with a fraction of zeros. A leading zero or another fraction may be a code or a version:
# `007`, `1.10`.
_WHOLE = re.compile(r"([+-]?)(0|[1-9][0-9]*)\.0+")

_MAX_DIGITS = 100  # of a decimal number that is written out

# One example of each label is a task, too, so only many labels are doubtful.
_MIN_ROWS_OF_DOUBT = 30
_SHARE_OF_DOUBT = 0.9

# What people write between the labels of one text; spaces and slashes are in many single labels.
_SEPARATORS = "|;,"

SEVERAL_LABELS = "several labels for one text need a multi-label task"


class NotOneLabelError(ValueError):
    """A value is a list of several labels or of none, or an object; the message is the value as JSON."""


def label_text(value: Any) -> str | None:
    """Return a label as text, or ``None`` if it is missing or empty.

    ``True`` becomes ``true``, ``3.0`` and ``"3.0"`` become ``3``, and a list of one label is that label.

    Args:
        value: A string, a number, or a list of one of them.

    Raises:
        NotOneLabelError: The value is a list of several labels or of none, or an object.
    """
    value = one_label(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        value = None if value != value else _number_text(value)
    if value is None:
        return None
    text = str(value).strip()
    whole = _WHOLE.fullmatch(text)
    if whole is None:
        return text or None
    sign = "-" if whole[1] == "-" and whole[2] != "0" else ""
    return sign + whole[2]


def one_label(value: Any) -> Any:
    """Return the only item of a list, and every other value unchanged.

    Args:
        value: A label as it was read: a value of Python, a list, or an array or number of NumPy.

    Raises:
        NotOneLabelError: The value is a list of several items or of none, or an object.
    """
    if not isinstance(value, str | bytes) and hasattr(value, "tolist"):  # an array or a number of NumPy
        value = value.tolist()
    if isinstance(value, list | tuple) and len(value) == 1 and not isinstance(value[0], list | tuple | dict):
        return one_label(value[0])
    if isinstance(value, list | tuple | set | frozenset | dict):
        raise NotOneLabelError(_as_json(value))
    return value


def label_texts(labels: Iterable[Any]) -> list[str]:
    """Return the texts of configured labels.

    Args:
        labels: Labels as written in a configuration.

    Returns:
        One text for each label, from ``label_text``.

    Raises:
        ValueError: A label is missing or empty.
    """
    texts: list[str] = []
    for label in labels:
        text = label_text(label)
        if text is None:
            raise ValueError(f"{label!r} is no label: give a text or a number")
        texts.append(text)
    return texts


def label_keys(values: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the values of labels by the labels' texts.

    Args:
        values: Any values by label; the labels as a user wrote them.

    Raises:
        ValueError: A label is missing or empty, or two keys are the same label.
    """
    by_label: dict[str, Any] = {}
    for key, value in values.items():
        (label,) = label_texts([key])
        if label in by_label:
            raise ValueError(f"two keys are the label {label!r}: keep one of them")
        by_label[label] = value
    return by_label


def label_of_number(labels: Sequence[str] | None) -> dict[str, str]:
    """Return the label of each number ``0``, ``1`` and so on, unless the number is a label itself.

    Args:
        labels: The configured labels of a source, which numbers in its files may index.
    """
    names = labels or []
    return {str(i): name for i, name in enumerate(names) if str(i) not in names}


def unused_grades(grades: Iterable[Any], labels: Iterable[Any], *, of: str) -> str | None:
    """Say which grades do not occur: their place in the order is known by their names alone.

    Args:
        grades: The labels in their order.
        labels: The labels that occur.
        of: What has the labels, such as ``"example"``.

    Returns:
        A sentence without its full stop; ``None`` if every grade occurs, or a label is no grade, which is an
        error of its own.
    """
    used = {label_text(label) for label in labels}
    by_text = {label_text(grade): grade for grade in grades}
    unused = [grade for text, grade in by_text.items() if text not in used]
    if not unused or used - set(by_text):
        return None
    return (
        f"no {of} has the grade {listed([repr(grade) for grade in unused])} of `ordinal`: check how it is "
        "written, or leave it out"
    )


def label_column_doubt(num_labels: int, num_rows: int) -> str | None:
    """Return the question whether a column has labels at all, if nearly every row has a label of its own.

    >>> label_column_doubt(240, 240)
    '240 labels in 240 rows: is this the label column?'

    Args:
        num_labels: Number of different labels in the column.
        num_rows: Number of rows.

    Returns:
        The question; ``None`` if there is no doubt, or there are too few rows to tell.
    """
    if num_rows < _MIN_ROWS_OF_DOUBT or num_labels <= _SHARE_OF_DOUBT * num_rows:
        return None
    return f"{num_labels} labels in {num_rows} rows: is this the label column?"


def look_alike(labels: Iterable[str]) -> list[str]:
    """Return a sentence for each label that differs from another only in how it is written.

    >>> look_alike(["refund", "Refund", "delivery"])[0][:32]
    "the labels 'Refund' and 'refund'"

    Args:
        labels: The different labels.
    """
    first: dict[str, str] = {}
    sentences = []
    for label in sorted(labels):
        folded = "".join(unicodedata.normalize("NFKC", label).casefold().split())
        if first.setdefault(folded, label) != label:
            sentences.append(
                f"the labels {first[folded]!r} and {label!r} differ only in capital letters, spaces or the "
                "form of accents: if they are one, write them alike"
            )
    return sentences


def separator_in(labels: Iterable[str]) -> str | None:
    """Return what separates labels from each other, if labels look like several written as one text.

    They do if fewer different parts are left after they are separated: parts that are combined come again.

    >>> separator_in(["login|urgent", "refund|urgent", "login", "refund"])
    '|'

    Args:
        labels: The different labels.

    Returns:
        The separator; ``None`` if each label looks like one.
    """
    whole = {label.strip() for label in labels}
    for separator in _SEPARATORS:
        parts = {part.strip() for label in whole for part in label.split(separator)} - {""}
        if sum(separator in label for label in whole) > 1 and len(parts) < len(whole):
            return separator
    return None


def joined_labels(labels: Iterable[str]) -> tuple[str, str] | None:
    """Return a sentence about labels that look like several in one text, and what separates them.

    >>> joined_labels(["login|urgent", "refund|urgent", "login", "refund"])[0]
    "labels such as 'login|urgent' look like several labels of one text, separated by '|'"

    Args:
        labels: The different labels.

    Returns:
        The sentence without its full stop, and the separator; ``None`` if each label looks like one.
    """
    labels = sorted(labels)
    separator = separator_in(labels)
    if separator is None:
        return None
    example = next(label for label in labels if separator in label)
    return (
        f"labels such as {example!r:.80} look like several labels of one text, separated by {separator!r}",
        separator,
    )


def several_labels_setting(separator: str) -> str:
    """Return what to set where the labels of a text are separated.

    Args:
        separator: What separates them.
    """
    return f"if so, set `multi_label: true` and `label_separator: {json.dumps(separator)}`"


def _number_text(value: float | Decimal) -> str:
    """The shortest text of a number."""
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < _MAX_DIGITS:
        return str(int(value)) if value == value.to_integral_value() else str(value.normalize())
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _as_json(value: Any) -> str:
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    return json.dumps(value, ensure_ascii=False, default=str)
