"""Label lists: what the labels of a text may be where a text has any number of them.

Input: a value as a format has it: a list, a text that is a list in JSON, a text with a separator, or one
label. Output: a list of different labels. A value that cannot be used raises ``UnusableError``, as in
``values``.

    label_list_of(["login", "urgent"]), label_list_of([])       # ["login", "urgent"], []
    label_list_of("login|urgent", separator="|")                # ["login", "urgent"]
    label_lists_of([["y"], [1]])                                # [["y"], ["1"]]: one type in all lists
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from metamapping.corpus.labels import Label
from metamapping.corpus.values import (
    MissingError,
    UnusableError,
    is_blank,
    is_nothing,
    label_of,
    labels_of,
    list_of_text,
)


def has_label_list(value: Any) -> bool:
    """Return whether a value is a list of several labels or of none, so that its column has label lists.

    A list of one label says nothing: some programs write every label so.

    Args:
        value: A value of a label column.
    """
    items = _items(value)
    return (
        items is not None and len(items) != 1 and not any(isinstance(i, list | tuple | dict) for i in items)
    )


def label_list_of(value: Any, separator: str | None = None) -> list[Label]:
    """Return a value as a list of different labels, in the order in which they are given.

    Args:
        value: A list of labels, a text that is one in JSON or Python, or one label.
        separator: What separates the labels of a text that is not a list; an empty text then has none.

    Raises:
        MissingError: There is no value.
        UnusableError: An item is nothing that could be a label.
    """
    items = _items(value)
    if items is None:
        if separator is not None and (is_nothing(value) or isinstance(value, str)):
            text = "" if is_nothing(value) else value
            items = [part for part in text.split(separator) if part.strip()]
        elif is_blank(value):
            raise MissingError(
                f"is missing ({value!r}): give a list of labels, [] for none, or a separator of "
                "labels (`label_separator`, on the command line --label-separator)"
            )
        else:
            items = [value]
    if any(isinstance(item, list | tuple | dict) for item in items):
        raise UnusableError(
            f'is {value!r:.60}: expected a list of labels, such as ["login", "urgent"]; spans in the '
            "text are for the task type ner (on the command line --task-type ner)"
        )
    return list(dict.fromkeys(label_of(item) for item in items))


def label_lists_of(rows: Iterable[list[Label]]) -> list[list[Label]]:
    """Return lists of labels of one type: as they are if they have one already, else as texts.

    Args:
        rows: The labels of each text.
    """
    rows = list(rows)
    given = iter(labels_of(label for row in rows for label in row))
    return [list(dict.fromkeys(next(given) for _ in row)) for row in rows]


def _items(value: Any) -> list[Any] | None:
    """The items of a list, of an array, or of a text that is a list; ``None`` for anything else."""
    if isinstance(value, str):
        value = list_of_text(value)
    if not isinstance(value, str | bytes) and hasattr(value, "tolist"):  # of NumPy
        value = value.tolist()
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return list(value) if isinstance(value, list | tuple) else None
