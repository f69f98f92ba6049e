"""Indicators: labels that a file has as one column of 0 and 1 for each label.

Input: for each label the value of its column in one row. Output: the list of the labels that the row has,
which is read on like a list that stands in one column. A value that is neither 0 nor 1 raises
``UnusableError``, as in ``values``: a blank one says nothing about the label.

    indicated_labels([("toxic", "1"), ("insult", "0")])        # ["toxic"]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from metamapping.corpus.values import MissingError, UnusableError, is_blank

_YES, _NO = ("1", "1.0", "true"), ("0", "0.0", "false")


def indicated_labels(values: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the labels of a row whose columns are 1.

    Args:
        values: For each label its name and the value of its column: 0 or 1, true or false, as a number, a
            boolean or text.

    Raises:
        MissingError: A column has no value.
        UnusableError: A column has another value.
    """
    return [label for label, value in values if _is_set(label, value)]


def are_indicators(values: Sequence[Any]) -> bool:
    """Return whether all values of a column are 0 or 1, and both occur.

    Args:
        values: The values of a column in some rows.
    """
    try:
        return {_is_set("", value) for value in values} == {True, False}
    except UnusableError:
        return False


def _is_set(label: str, value: Any) -> bool:
    if is_blank(value):
        raise MissingError(f"is missing for {label!r:.60} ({value!r}): fill in 0 or 1, or drop the row")
    if isinstance(value, bool | int | float | Decimal) and value in (0, 1):
        return bool(value)
    spelled = value.strip().lower() if isinstance(value, str) else None
    if spelled not in (*_YES, *_NO):
        raise UnusableError(
            f"is {value!r:.60} for {label!r:.60}: a column of `label_columns` has 0 or 1, or true or false"
        )
    return spelled in _YES
