"""Columns: which column of a table has the texts, which their pairs, and which the labels.

The names that people use decide first, and the values where no name is known: labels are short and come
again, texts are long and do not.

    label = label_column(columns)
    texts = text_columns([column for column in columns if column is not label])
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from statistics import fmean
from typing import Any

from metamapping.config.labels import NotOneLabelError, label_text
from metamapping.corpus.columns import listed_names
from metamapping.corpus.label_lists import has_label_list, label_list_of
from metamapping.corpus.values import UnusableError

LABEL_NAMES = (
    "label",
    "labels",
    "intent",
    "category",
    "class",
    "sentiment",
    "rating",
    "stars",
    "topic",
    "emotion",
    "target",
    "tag",
    "kind",
    "type",
    "command",
    "queue",
    "department",
    "genre",
    "mood",
    "stance",
)
TEXT_NAMES = (
    "text",
    "sentence",
    "review",
    "utterance",
    "message",
    "body",
    "content",
    "comment",
    "question",
    "query",
    "tweet",
    "description",
    "title",
)
_PAIRS = (
    ("text", "text_pair"),
    ("premise", "hypothesis"),
    ("query", "document"),
    ("query", "passage"),
    ("question", "answer"),
    ("question", "context"),
)
_MAX_LABEL_CHARACTERS, _MAX_LABEL_WORDS = 40, 6
# Days and times: 2024-05-31, 31.5.2024 12:00, 12:00:05.
_TIME = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")


class Column:
    """A column of a table, with what tells texts from labels.

    Args:
        name: Name of the column; a dotted name leads into nested objects.
        place: Its number, from 0.
        values: Its value in each row; ``None`` where it is missing.
    """

    def __init__(self, name: str, place: int, values: Sequence[Any]) -> None:
        self.name, self.place, self.all_raw = name, place, values

    @cached_property
    def all_values(self) -> list[str | None]:
        """The value of each row as text; ``None`` where it is missing, empty, or no single value."""
        return [_text(value) for value in self.all_raw]

    @cached_property
    def values(self) -> list[str]:
        """The values that are there."""
        return [value for value in self.all_values if value is not None]

    @cached_property
    def labels(self) -> list[str]:
        """The values as labels; where a text has a list of several, or of none, all labels of all lists."""
        if not any(map(has_label_list, self.all_raw)):
            return self.values
        return [label for value in self.all_raw for label in label_texts_of(value)]

    @cached_property
    def lengths(self) -> list[int]:
        """The length of each value in words."""
        return [len(value.split()) for value in self.values]

    @cached_property
    def num_different(self) -> int:
        """The number of different values."""
        return len(set(self.values))

    @property
    def is_text(self) -> bool:
        """Whether the values look like texts."""
        return bool(self.values) and fmean(self.lengths) >= 2 and self.num_different > 0.5 * len(self.values)

    @property
    def is_label(self) -> bool:
        """Whether the values look like labels."""
        labels = self.labels
        if not labels or not 2 <= len(set(labels)) <= max(2, len(labels) // 2):
            return False
        if all(map(_TIME.fullmatch, labels)):
            return False
        num_words = max(len(label.split()) for label in labels)
        return max(map(len, labels)) <= _MAX_LABEL_CHARACTERS and num_words <= _MAX_LABEL_WORDS

    @property
    def own_name(self) -> str:
        """The last part of the name, in lower case."""
        return self.name.rsplit(".", 1)[-1].strip().lower()


def columns_of_rows(rows: Sequence[dict[str, Any]]) -> list[Column]:
    """All columns of rows, those of nested objects under their dotted names.

    Args:
        rows: The rows.
    """
    flat = [dict(flattened(row)) for row in rows]
    names = dict.fromkeys(name for row in flat for name in row)
    return [Column(name, place, [row.get(name) for row in flat]) for place, name in enumerate(names)]


def flattened(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted names of a row's values, and the values.

    Args:
        row: The row; a value may be an object.
        prefix: What the names begin with.
    """
    for name, value in row.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def label_column(columns: Sequence[Column], given: str | None = None) -> Column | None:
    """The column of labels, or ``None``.

    Args:
        columns: All columns.
        given: The name of the column, if the user has named it.

    Raises:
        ValueError: There is no column with the given name.
    """
    if given is not None:
        return _given(columns, given, "--label")
    candidates = [column for column in columns if column.is_label]
    named = [column for column in candidates if column.own_name in LABEL_NAMES]
    if named:
        return min(named, key=lambda column: LABEL_NAMES.index(column.own_name))
    # Words before numbers, and of equals the last column, where labels usually are.
    return min(
        candidates,
        key=lambda column: (_are_numbers(column), column.num_different, -column.place),
        default=None,
    )


def text_columns(columns: Sequence[Column], given: str | None = None) -> list[Column]:
    """The columns of texts: first the one that is meant, then the others in their order.

    Args:
        columns: All columns except that of labels.
        given: The name of the column, if the user has named it.

    Raises:
        ValueError: There is no column with the given name.
    """
    texts = [column for column in columns if column.is_text or _is_half_of_pair(column, columns)]
    if given is not None:
        first: Column | None = _given(columns, given, "--text")
    else:
        pairs = [a for a in texts for b in texts if is_pair(a.name, b.name)]
        named = [column for column in texts if column.own_name in TEXT_NAMES]
        named.sort(key=lambda column: TEXT_NAMES.index(column.own_name))
        longest = max(texts, key=lambda column: fmean(column.lengths), default=None)
        first = next(iter([*pairs, *named]), longest)
    return [] if first is None else [first, *(column for column in texts if column is not first)]


def _is_half_of_pair(column: Column, columns: Sequence[Column]) -> bool:
    """Whether sentences come again, because each is a pair with several texts, as a premise is."""
    return (
        column.num_different > 1
        and fmean(column.lengths) >= 2
        and any(
            other.is_text and (is_pair(column.name, other.name) or is_pair(other.name, column.name))
            for other in columns
        )
    )


def is_pair(first: str, second: str) -> bool:
    """Whether two columns are the first and the second text of pairs, by their names.

    >>> is_pair("question1", "question2"), is_pair("premise", "hypothesis"), is_pair("text", "title")
    (True, True, False)

    Args:
        first: Name of a column.
        second: Name of another column.
    """
    names = first.rsplit(".", 1)[-1].strip().lower(), second.rsplit(".", 1)[-1].strip().lower()
    if names in _PAIRS:
        return True
    ends = [re.fullmatch(r"(.*?)[_ -]?([12ab])", name) for name in names]
    if ends[0] is None or ends[1] is None:
        return False
    return ends[0][1] == ends[1][1] and (ends[0][2], ends[1][2]) in (("1", "2"), ("a", "b"))


def label_texts_of(value: Any, separator: str | None = None) -> list[str]:
    """The labels of a text as texts; none where they cannot be read, so that the row will be rejected.

    Args:
        value: The value of a column of label lists.
        separator: What separates the labels of a value that is not a list.
    """
    try:
        texts = [label_text(label) for label in label_list_of(value, separator)]
    except UnusableError:
        return []
    return [text for text in texts if text is not None]


def _given(columns: Sequence[Column], name: str, option: str) -> Column:
    found = [column for column in columns if column.name.strip() == name or str(column.place) == name]
    if not found:
        known = listed_names([column.name for column in columns])
        raise ValueError(f"there is no column {name!r}, but {known}: correct {option}")
    return found[0]


def _are_numbers(column: Column) -> bool:
    return all(value.lstrip("+-").replace(".", "", 1).isdecimal() for value in column.values)


def _text(value: Any) -> str | None:
    try:
        return label_text(value)
    except NotOneLabelError:
        return None
