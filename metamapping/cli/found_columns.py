"""Found columns: which columns are meant where a file has no `text` or no `label` and no option names one.

Only where the names leave one choice: a single other column is left, or a single one has a name that people
give to texts or labels. Of two columns with other names, the values tell which has the labels. Whatever is
found is said in a note; where nothing is found, reading reports the missing column.

    found_columns(["utterance", "intent"], rows, text=None, label=None)    # ("utterance", "intent")
"""

from __future__ import annotations

from collections.abc import Sequence

from metamapping.cli.columns import LABEL_NAMES, TEXT_NAMES, Column, is_pair
from metamapping.cli.rows import PREDICTION, WORDS, NumberedRow, Row, SentenceRow, TableRow
from metamapping.corpus.columns import find_name

_TEXT, _LABEL, _PAIR = "text", "label", "text_pair"
# Columns that commands write: what was predicted is neither a text nor a true label.
_WRITTEN = (PREDICTION, "probability", "confidence", "probabilities")
_PEEKED_ROWS = 1_000
_MAX_NAME_WORDS = 3  # longer ones are probably the first row of a file without a header


def found_columns(
    names: Sequence[str], rows: Sequence[Row], *, text: str | None, label: str | None
) -> tuple[str | None, str | None]:
    """Return the columns of texts and labels, as far as they are given or can be found.

    Args:
        names: The names of all columns.
        rows: The rows that are read already; may be empty.
        text: The column of texts, if the user has named it.
        label: The column of labels, if the user has named it.
    """
    text = text or find_name(_TEXT, names)
    label = label or find_name(_LABEL, names)
    taken = {find_name(name, names) for name in (text, label, _PAIR, *_WRITTEN) if name is not None}
    free = [name for name in names if name not in taken and name.strip()]
    if text is None and label is None:
        label = _known(free, LABEL_NAMES) or (_by_values(free, rows) if len(free) == 2 else None)
        free = [name for name in free if name != label]
    if text is None and not any(is_pair(first, second) for first in free for second in free):
        text = _known(free, TEXT_NAMES) or _only(free)
        free = [name for name in free if name != text]
    if label is None and text is not None:
        label = _known(free, LABEL_NAMES) or _only(free)
    return text, label


def is_without_header(rows: Sequence[Row]) -> bool:
    """Whether the first line of a delimited file is a row: it has a sentence, or a value that comes again.

    Args:
        rows: The first rows of the file, read as if its first line named the columns.
    """
    if not rows or not isinstance(rows[0], TableRow):
        return False
    return any(
        len(name.split()) > 5 or (name.strip() != "" and [row[name] for row in rows[:100]].count(name) > 0)
        for name in rows[0]
    )


def names_of(columns: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...]:
    """The names of the columns of an input; none where columns have no names, or are words and tags.

    Args:
        columns: The columns that the format names.
        rows: The rows that are read already; may be empty.
    """
    if WORDS in columns or (rows and isinstance(rows[0], NumberedRow | SentenceRow)):
        return ()
    if is_without_header(rows) or any(len(name.split()) > _MAX_NAME_WORDS for name in columns):
        return ()
    return tuple(columns) or tuple(dict.fromkeys(name for row in rows[:_PEEKED_ROWS] for name in row))


def _known(names: Sequence[str], known: Sequence[str]) -> str | None:
    """The only name that is a known one."""
    return _only([name for name in names if name.strip().lower() in known])


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _by_values(names: Sequence[str], rows: Sequence[Row]) -> str | None:
    """The only column whose values look like labels."""
    columns = [
        Column(name, place, [row.get(name) for row in rows[:_PEEKED_ROWS]])
        for place, name in enumerate(names)
    ]
    return _only([column.name for column in columns if column.is_label and not column.is_text])
