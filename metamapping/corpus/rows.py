"""Rows: what every format is read into."""

from __future__ import annotations

from typing import Any, NamedTuple

MALFORMED = "malformed_row"


class Row(NamedTuple):
    """One record as read; for ``ner`` text and label are lists, or words and tags in one string."""

    line: int | None
    text: Any = None
    text_pair: Any = None
    label: Any = None
    fault: str | None = None
