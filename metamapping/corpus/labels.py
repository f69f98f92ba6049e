"""Labels as values: strings, booleans or numbers, which keep the type that they were given in.

Numbers are compared by value: ``3.0`` becomes ``3``, because a column of integers with a missing value is
read as floating-point numbers. Booleans are not numbers, although ``True == 1`` in Python.

    label_value(3.0), label_value(" refund"), label_value(None)   # 3, "refund", None
    label_kind(True)                                              # "boolean"
"""

from __future__ import annotations

import math
from typing import Any, Literal

from metamapping.config.labels import label_text

Label = str | bool | int | float
Kind = Literal["string", "boolean", "number"]


def label_value(value: Any) -> Label | None:
    """Return a label as a Python value, or ``None`` for a value that is not a label.

    Args:
        value: A string, a boolean or a number of Python, NumPy or pandas. Strings are spelled as by
            ``label_text``.

    Returns:
        A string, a boolean, an integer, or a number that is not whole; ``None`` for blank strings, numbers
        that are not finite, and anything else.
    """
    if hasattr(value, "dtype") and getattr(value, "ndim", None) == 0:  # a scalar of NumPy
        value = value.item()
    if isinstance(value, str):
        return label_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else float(value)
    return None


def label_kind(label: Label) -> Kind:
    """The type of a label; the labels of one task have the same.

    Args:
        label: A label from ``label_value``.
    """
    if isinstance(label, str):
        return "string"
    return "boolean" if isinstance(label, bool) else "number"


def class_names(feature: Any) -> list[str] | None:
    """Return the class names of a ``datasets`` column of numbered labels or lists of tags, else ``None``.

    Args:
        feature: A feature of a ``datasets`` column, or ``None``.
    """
    feature = getattr(feature, "feature", feature)
    return getattr(feature, "names", None)


def label_name(value: Any, names: list[str]) -> Any:
    """Return the name of a numbered class, or of each in a list; ``None`` for a number without a name.

    Args:
        value: A class number, or a list of them.
        names: The name of each class, by number.
    """
    if isinstance(value, list):
        return [label_name(item, names) for item in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
