"""Source columns: which columns of a file hold the texts and labels of a source.

Input: a source, and the names that a file has. Output: the columns of text, second text and label, with a
default for each that the source does not name.

    column_names(source, ["words", "tags"])     # ("words", None, "tags") for `ner`
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from metamapping.config.sources import Source
from metamapping.corpus.columns import SETTINGS, Header, find_name, has_name, no_such_column, place_of
from metamapping.corpus.span_formats import entity_columns

# The columns of text, second text and label, by name or number; no label's with ``label_columns``.
ColumnNames = tuple[str | int, str | int | None, str | int | None]


def column_names(source: Source, existing: Collection[str] = ()) -> ColumnNames:
    """Return the columns of text, second text and label, with defaults for those not configured.

    Args:
        source: The source.
        existing: The names of all columns, from which the defaults of ``ner`` follow.

    Returns:
        Names, or numbers in files without a header. The second text has no default and may be ``None``.
    """
    is_ner = source.task_type == "ner"
    named = source.header and source.format != "conll"
    text = source.columns.text
    label = source.columns.label
    if named and is_ner:
        default = entity_columns(
            existing, None if text is None else str(text), None if label is None else str(label)
        )
    else:
        default = ("text", "label")
        if source.multi_label and find_name("label", existing) is None and find_name("labels", existing):
            default = ("text", "labels")
    if text is None:
        text = default[0] if named else 0
    if label is None and source.columns.label_columns is None:
        label = default[1] if named else -1
    return text, source.columns.text_pair, label


def places_of_columns(names: ColumnNames, header: Header, source: Source) -> list[int | None]:
    """Return the numbers of the columns of text, second text and label, from 0; ``None`` for a missing one.

    Args:
        names: The columns, as ``column_names`` returns them.
        header: The columns of the file.
        source: The source, for error messages.

    Raises:
        ConfigError: There is no such column, or two have the name.
    """
    return [
        None if name is None else place_of(name, setting, header, source)
        for setting, name in zip(SETTINGS, names, strict=True)
    ]


def check_names(objects: list[dict[str, Any]], source: Source, place: str) -> None:
    """Check that the columns of a source are among the names of the first JSON objects.

    Args:
        objects: The first objects of a file.
        source: The source.
        place: The file, for error messages.

    Raises:
        ConfigError: No object has one of the names.
    """
    # The columns of spans depend on the object, such as those of different tools.
    named = [(each, column_names(source, each)) for each in objects]
    for name in (source.columns.label_columns or []) if objects else []:
        if not any(has_name(each, name) for each in objects):
            raise no_such_column(name, "label_columns", Header(list(objects[0]), place), source)
    for number, setting in enumerate(SETTINGS):
        if not named or named[0][1][number] is None:
            continue
        if not any(has_name(each, str(names[number])) for each, names in named):
            raise no_such_column(
                cast(str | int, named[0][1][number]), setting, Header(list(objects[0]), place), source
            )
