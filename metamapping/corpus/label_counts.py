"""Label counts: the number of rows of each label in a source, before anything is prepared.

At most ``MAX_ROWS`` rows are read: longer sources are counted when they are prepared. Settings that name
a label which the source does not have are refused, because they would silently have no effect.

    count_labels(source)                       # {"refund": 31, "delivery": 52}, or None
"""

from __future__ import annotations

import contextlib
import difflib
import itertools
from collections import Counter
from collections.abc import Collection

from metamapping.config.labels import label_of_number, label_text
from metamapping.config.sources import Source
from metamapping.corpus.label_lists import has_label_list
from metamapping.corpus.records import label_list, read_rows
from metamapping.corpus.tags import entity_types, find_scheme, fits
from metamapping.corpus.values import UnusableError, words_of
from metamapping.corpus.values import label_of as read_label
from metamapping.errors import ConfigError, listed

MAX_ROWS = 100_000


def count_labels(source: Source) -> dict[str, int] | None:
    """Count the rows of each label, and check that the settings of labels fit them.

    Cleaning can only lower these counts.

    Args:
        source: The source.

    Returns:
        For ``ner``, the number of sentences with each entity type; else the number of rows of each label.
        Labels of which all rows will be rejected are left out. ``None`` for sources that are too long or on
        the hub.

    Raises:
        ConfigError: The source cannot be read, or a setting names a label that it does not have.
    """
    if source.hub is not None:
        return None
    counts: Counter[str] = Counter()
    sentences: Counter[frozenset[str]] = Counter()  # the different tags of each
    label_of = label_of_number(source.labels)
    for number, row in enumerate(read_rows(source)):
        if number == MAX_ROWS:
            return None
        if row.fault is not None:
            continue
        if source.task_type == "ner":
            with contextlib.suppress(UnusableError):  # such rows are rejected later
                sentences[frozenset(label_of.get(tag, tag) for tag in words_of(row.label))] += 1
            continue
        if source.multi_label:
            counts.update({label_of.get(label, label) for label in label_list(row.label, source) or []})
            continue
        with contextlib.suppress(UnusableError):
            label = str(label_text(read_label(row.label)))
            counts[label_of.get(label, label)] += 1
    scheme = find_scheme(tag for tags in sentences for tag in tags)
    for tags, count in sentences.items():
        if all(fits(tag, scheme) for tag in tags):
            for kind in entity_types(tags, scheme):
                counts[kind] += count
    check_label_settings(source, counts)
    known = None if source.labels is None else _types(source, source.labels)
    return {
        label: count
        for label, count in counts.items()
        if label not in source.drop_labels and (known is None or label in known)
    }


def list_rows_hint(source: Source) -> str:
    """Say how many rows of a source with one label a text have several, or none, and are rejected.

    Args:
        source: A source of files.

    Returns:
        The end of a sentence, such as ``"; 3 rows have several labels or none …"``; empty if there are none.
    """
    if source.task_type == "ner" or source.multi_label or source.hub is not None:
        return ""
    rows = itertools.islice(read_rows(source), MAX_ROWS)
    num_lists = sum(row.fault is None and has_label_list(row.label) for row in rows)
    if not num_lists:
        return ""
    return (
        f"; {num_lists} of its rows {'has' if num_lists == 1 else 'have'} a list of several labels, or of "
        "none, and cannot be used: if texts have any number of labels, set `multi_label: true`"
    )


def check_label_settings(source: Source, present: Collection[str]) -> None:
    """Check that every label which a setting of a source names is a label of the source.

    ``labels`` may list more labels than occur, such as all that a format allows, as long as it lists all
    that do: only if it lacks one, too, is another spelling to be suspected.

    Args:
        source: The source.
        present: All labels of its rows, also of those that are rejected; for ``ner`` entity types.

    Raises:
        ConfigError: A setting names labels that the source does not have.
    """
    found = set(present)
    settings: dict[str, Collection[str]] = {
        "label_names": source.label_names,
        "drop_labels": source.drop_labels,
    }
    for role, of_role in (source.label_roles or {}).items():
        settings[f"label_roles.{role}"] = of_role if isinstance(of_role, list) else []
    if source.labels is not None and found - _types(source, source.labels):
        settings["labels"] = source.labels
    if source.ordinal is not None:
        check_grades(source, found - set(source.drop_labels))
    for setting, labels in settings.items():
        unknown = sorted((_types(source, labels) if setting == "labels" else set(labels)) - found)
        if unknown:
            raise _no_such_label(source, setting, unknown, sorted(found))


def check_grades(source: Source, labels: Collection[str]) -> None:
    """Check that every label of a source with ``ordinal`` is one of its grades.

    ``labels`` of the configuration lists the same grades, so that rows with others are rejected.

    Args:
        source: The source.
        labels: The labels of its rows.

    Raises:
        ConfigError: A label has no place in the order.
    """
    grades = source.ordinal or []
    others = sorted(set(labels) - set(grades))
    if others and source.labels is None:
        raise ConfigError(
            f"source {source.name!r}: {listed(list(map(repr, others)))} is not in `ordinal` "
            f"({listed(grades)}): put every label in its place in the order, or in `drop_labels`"
        )


def _types(source: Source, labels: Collection[str]) -> set[str]:
    """The labels; for ``ner`` the entity types of tags."""
    return entity_types(labels) if source.task_type == "ner" else set(labels)


def _no_such_label(source: Source, setting: str, unknown: list[str], found: list[str]) -> ConfigError:
    similar = [match for label in unknown for match in difflib.get_close_matches(label, found, n=1)]
    hint = f"did you mean {similar[0]!r}?" if similar else "write labels as the source does"
    return ConfigError(
        f"source {source.name!r}: `{setting}` names {listed(list(map(repr, unknown)))}, but the source has "
        f"no such label; its labels are {listed(list(map(repr, found))) or 'none'}: {hint}"
    )
