"""Columns: which columns of a file are read, found by their names or numbers.

Input: what a source or a command says about columns, and the names that a file has. Output: the place of a
column, or an error that lists the columns there are. All formats and entry points share these rules: spaces
around a name and its capital letters are ignored if no other column fits better, and a name that two
columns have names neither.

    place_of("text", Header(["id", "Text "], "notes.csv"), source)     # 1
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from metamapping.config.sources import Source
from metamapping.errors import ConfigError, listed

Setting = Literal["text", "text_pair", "label", "label_columns"]
SETTINGS: tuple[Setting, ...] = ("text", "text_pair", "label")

# What an error message says about the columns of named entities.
NER_COLUMNS = "`ner` reads `words` and `tags`, or `text` and `spans`, `entities` or `label`"
_INDEX = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Header:
    """The columns of a file.

    Attributes:
        columns: Their names, or how many there are in a file without a header.
        place: The file or data set, for error messages.
        delimiter: What separates the fields of a delimited file.
        is_table: Whether the file is delimited or a spreadsheet, whose first row may name the columns.
    """

    columns: Collection[str] | int
    place: str
    delimiter: str | None = None
    is_table: bool = False


def place_of(name: str | int, setting: Setting, header: Header, source: Source) -> int:
    """Return the number of a column, from 0.

    Args:
        name: Its name, or its number; negative numbers count from the last column.
        setting: What the column is, for error messages.
        header: The columns of the file.
        source: The source, for error messages.

    Raises:
        ConfigError: There is no such column, or two have the name.
    """
    names = header.columns if isinstance(header.columns, int) else list(header.columns)
    width = names if isinstance(names, int) else len(names)
    if isinstance(name, int):
        if -width <= name < width:
            return name % width
    elif not isinstance(names, int):
        if names.count(name) > 1:
            raise ConfigError(
                f"source {source.name!r}: {header.place} has two columns of the name {name!r:.80} "
                f"({listed_names(names)}): rename one"
            )
        if (found := find_name(name, names)) is not None:
            return names.index(found)
    raise no_such_column(name, setting, header, source)


def no_such_column(name: str | int, setting: Setting, header: Header, source: Source) -> ConfigError:
    """Return the error for a missing column.

    Args:
        name: The missing column.
        setting: What the column is.
        header: The columns of the file.
        source: The source.
    """
    names = header.columns
    known = f"{names} columns" if isinstance(names, int) else f"the columns {listed_names(names) or 'none'}"
    if header.delimiter is not None:
        known += f" (separated by {header.delimiter!r})"
    # A column that has another use already is not what was meant.
    used = {getattr(source.columns, other) for other in SETTINGS if other != setting}
    free = [] if isinstance(names, int) else [each for each in names if each not in used]
    similar = difflib.get_close_matches(str(name), free, n=1)
    known += f" (did you mean {similar[0]!r:.80}?)" if similar else ""
    option = f"--{setting.replace('_', '-')}"
    fixes = [f"set `columns.{setting}` (on the command line {option}) to the right one"]
    if setting == "label_columns":
        fixes = [f"correct `columns.label_columns` (on the command line {option})"]
    elif setting == "label" and source.task_type != "ner" and _may_be_label_columns(free):
        fixes.append("`columns.label_columns` (--label-columns) if each label has a column of 0 and 1")
    if header.is_table:
        fixes.append(
            "`header: false` (--no-header) if the first line is a row"
            if source.header
            else "leave out `header: false` (--no-header) if the first line names the columns"
        )
    if header.delimiter is not None:
        fixes.append("`delimiter` (--delimiter) if something else separates the fields")
        if source.task_type == "ner" or header.delimiter == "\t":
            fixes.append("`format: conll` (--format conll) if each line is a word")
    hint = ""
    if source.task_type != "ner" and not isinstance(names, int) and {"words", "tags"} <= set(names):
        hint = "; words with tags are for `task_type: ner` (--task-type ner)"
    if source.task_type == "ner" and source.columns.text is None and source.columns.label is None:
        hint = f"; {NER_COLUMNS}"
    return ConfigError(
        f"source {source.name!r}: {header.place} has no column {name!r:.80}, but {known}: "
        f"{', or '.join(fixes)}{hint}"
    )


def _may_be_label_columns(free: Collection[str]) -> bool:
    """Whether there are at least two columns without a use, besides that of texts."""
    return len(set(free) - {find_name("text", free)}) > 1


def listed_names(names: Collection[str]) -> str:
    """Join the names of columns with commas; those with spaces around them, and empty ones, are quoted.

    Args:
        names: The names in the order in which they are to be listed.
    """
    return listed([name if name and name == name.strip() else repr(name) for name in names])


def find_name(name: str, names: Iterable[str]) -> str | None:
    """Return the column of a name: the equal one, else the only one that differs little.

    Spaces around a name are ignored, then capital letters, too.

    Args:
        name: The name.
        names: The names of all columns.
    """
    names = list(names)
    if name in names:
        return name
    for spelled in (str.strip, _folded):
        similar = [each for each in names if spelled(each) == spelled(name)]
        if similar:
            return similar[0] if len(similar) == 1 else None
    return None


def _folded(name: str) -> str:
    return name.strip().casefold()


def nested_value(record: Any, name: str) -> Any:
    """Return the value of a name in a JSON object, or ``None``.

    Args:
        record: The parsed JSON value.
        name: A key, or keys and list indices separated by dots: ``review.body`` or ``answers.0.text``.
    """
    if isinstance(record, dict) and (found := find_name(name, record)) is not None:
        return record[found]
    for part in name.split("."):
        if isinstance(record, dict):
            record = record.get(part)
        elif isinstance(record, list) and _INDEX.fullmatch(part) and int(part) < len(record):
            record = record[int(part)]
        else:
            return None
    return record


def has_name(record: dict[str, Any], name: str) -> bool:
    """Return whether a JSON object has a name, though its value may be ``null``.

    Args:
        record: The object.
        name: As for ``nested_value``.
    """
    if find_name(name, record) is not None:
        return True
    parent, dot, key = name.rpartition(".")
    holder = nested_value(record, parent) if dot else None
    return (isinstance(holder, dict) and key in holder) or nested_value(record, name) is not None
