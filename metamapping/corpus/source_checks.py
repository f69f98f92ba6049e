"""Checks that sources can be read, before anything runs: by their columns and first rows.

check_sources(home, [source])              # raises one error with a sentence for each that cannot
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from metamapping.config.labels import label_of_number
from metamapping.config.sources import Source
from metamapping.corpus.columns import NER_COLUMNS
from metamapping.corpus.records import existing_files, read_rows, records_stage, single_label
from metamapping.corpus.rows import MALFORMED, no_rows
from metamapping.corpus.source_columns import column_names
from metamapping.corpus.tags import find_scheme, fits, nearest_scheme
from metamapping.corpus.values import UnusableError, words_of
from metamapping.errors import ConfigError
from metamapping.storage.artifacts import Store
from metamapping.storage.hub_access import check_hub

_CHECKED_ROWS = 100


def check_sources(home: str, sources: Sequence[Source]) -> None:
    """Check that all sources can be read, and report all that cannot.

    Only the first rows of files are read, and nothing is hashed. A data set of the hub, which has to be
    downloaded for that, is skipped if the store has its records.

    Args:
        home: The folder or address of the store.
        sources: The sources to check.

    Raises:
        ConfigError: One sentence for each source that cannot be read, or the hub cannot be reached.
    """
    store = Store(home)
    errors = []
    read = [each for each in sources if each.hub is None or store.find(records_stage(each)) is None]
    check_hub({f"source {each.name!r}": f"datasets/{each.hub.path}" for each in read if each.hub})
    for source in read:
        try:
            check_source(source)
        except ConfigError as error:
            errors.append(str(error))
    if errors:
        raise ConfigError("\n".join(errors))


def check_source(source: Source) -> None:
    """Check that a source can be read, by its columns and first rows.

    Args:
        source: The source.

    Raises:
        ConfigError: The source cannot be read; the message has its name, what was found and the fix.
    """
    existing_files(source)
    rows = list(itertools.islice(read_rows(source), _CHECKED_ROWS))
    if not rows:
        raise no_rows(source)
    good = [row for row in rows if row.fault is None]
    if not good and rows[0].problem is not None and rows[0].fault != MALFORMED:
        raise ConfigError(
            f"source {source.name!r}: none of its first {len(rows)} rows can be used; in the first, "
            f"{rows[0].problem}"
        )
    if not good:
        raise ConfigError(
            f"source {source.name!r}: none of its first {len(rows)} rows can be read (the first is "
            f"{str(rows[0].text)[:80]!r}; {rows[0].problem or rows[0].fault}): check `format`, `delimiter`, "
            "`quotes` and `encoding`"
        )
    text, text_pair, label = column_names(source)
    named_labels = "`label_columns`" if label is None else f"column {label!r}"
    is_single = source.task_type != "ner" and not source.multi_label
    if is_single and all(single_label(row.label)[1] for row in good):
        first = single_label(good[0].label)[0]
        raise ConfigError(
            f"source {source.name!r}: {named_labels} has no single label in any of the first "
            f"{len(good)} rows (the first is {first!s:.80}): if texts have several labels, add `multi_label: "
            "true`; else write one label in each row, or correct `columns`"
        )
    if source.task_type == "ner":
        _check_tags(source, [tags for row in good if (tags := _tags(row.label))])
    for name, values in (
        (text, [row.text for row in good]),
        (text_pair, [row.text_pair for row in good]),
        (label, [row.label for row in good]),
    ):
        if name is not None and all(value is None for value in values):
            hint = ""
            if source.task_type == "ner":
                hint = f"; {NER_COLUMNS}"
            raise ConfigError(
                f"source {source.name!r}: column {name!r} is empty or missing in all of the first "
                f"{len(good)} rows: correct `columns`{hint}"
            )


def _check_tags(source: Source, rows: list[list[str]]) -> None:
    """Raise ``ConfigError`` if no row has tags that fit the scheme; single rows are rejected later."""
    label_of = label_of_number(source.labels)
    named = [[label_of.get(tag, tag) for tag in tags] for tags in rows]
    scheme = find_scheme(tag for tags in named for tag in tags)
    wrong = [next((tag for tag in tags if not fits(tag, scheme)), None) for tags in named]
    if wrong and None not in wrong:
        raise ConfigError(
            f"source {source.name!r}: none of the first {len(rows)} rows has readable tags; the first has "
            f"{wrong[0]!r:.80}: {nearest_scheme(str(wrong[0]))}; correct the tags, or `columns`"
        )


def _tags(value: Any) -> list[str]:
    try:
        return words_of(value)
    except UnusableError:
        return []
