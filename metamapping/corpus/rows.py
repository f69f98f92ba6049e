"""Rows: what the readers of all formats yield.

Row(line=3, text="where is my order", label="delivery")
"""

from __future__ import annotations

from typing import Any, NamedTuple

MALFORMED = "malformed_row"
MALFORMED_TAGS = "malformed_tags"
NOT_ONE_LABEL = "not_one_label"  # a list of several labels or of none, or an object


class Row(NamedTuple):
    """One row of a source as it was read.

    For ``ner``, text and label are lists of words and tags, or strings with the words and tags. A row with
    a ``fault`` could not be read; its text is then the raw row, and ``problem`` a sentence about it.
    """

    line: int | None
    text: Any = None
    text_pair: Any = None
    label: Any = None
    fault: str | None = None
    problem: str | None = None
