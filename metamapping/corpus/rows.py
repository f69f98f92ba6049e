"""Rows: what the readers of all formats yield.

Row(line=3, text="where is my order", label="delivery")
"""

from __future__ import annotations

from typing import Any, NamedTuple

from metamapping.config.sources import Source
from metamapping.errors import ConfigError, listed

MALFORMED = "malformed_row"
MALFORMED_TAGS = "malformed_tags"
NOT_ONE_LABEL = "not_one_label"  # a list of several labels or of none, or an object


class Row(NamedTuple):
    """One row of a source as it was read.

    For ``ner``, text and label are lists of words and tags, or strings with the words and tags. A row with
    a ``fault`` could not be read; its text is then the raw row.

    Attributes:
        line: Line of the file, from 1.
        text: The text.
        text_pair: The second text.
        label: The label.
        fault: Why the row could not be read.
        problem: A sentence about the fault, where there is more to say; of a malformed row it begins with the
            line, of spans that do not fit it does not.
        num_trimmed: Number of spans from which white space was trimmed.
        num_widened: Number of spans that were widened to whole words.
    """

    line: int | None
    text: Any = None
    text_pair: Any = None
    label: Any = None
    fault: str | None = None
    problem: str | None = None
    num_trimmed: int = 0
    num_widened: int = 0


def no_rows(source: Source) -> ConfigError:
    """Return the error for a source without any row.

    Args:
        source: The source.
    """
    files = source.files or []
    place = source.hub.path if source.hub is not None else files[0] if len(files) == 1 else listed(files)
    return ConfigError(f"source {source.name!r}: {place} has no rows: expected at least one")
