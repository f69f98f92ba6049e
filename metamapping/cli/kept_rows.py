"""The rows of a file from which a command learns, or which it checks: those with an answer and a label.

fields, kept = rows_to_learn(fields, rows, skip_unlabelled=True)
texts, labels, text_pairs = labelled_texts(fields, kept)
kept.numbers                                      # of the rows in the file, from 1
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from metamapping.cli.fields import Fields
from metamapping.cli.progress import print_note
from metamapping.cli.rows import KeptRows, Row
from metamapping.config.labels import joined_labels, label_text
from metamapping.corpus.columns import nested_value
from metamapping.corpus.label_lists import has_label_list
from metamapping.corpus.span_formats import ANSWER, answer_problem
from metamapping.corpus.tool_exports import LABEL, UNANSWERED, is_unanswered
from metamapping.corpus.values import is_blank, list_of_text
from metamapping.errors import listed
from metamapping.rounds.wording import count


def rows_to_learn(
    fields: Fields,
    rows: Sequence[Row],
    *,
    multi_label: bool = False,
    label_separator: str | None = None,
    skip_unlabelled: bool = False,
) -> tuple[Fields, KeptRows]:
    """Return the rows that have labels to be learned or checked, and their columns.

    Notes say how many rows are left out, and whether labels look like several in one text.

    Args:
        fields: The columns.
        rows: The rows of the file.
        multi_label: As ``--multi-label``.
        label_separator: As ``--label-separator``.
        skip_unlabelled: As ``--skip-unlabelled``.

    Returns:
        The columns, with any number of labels for each text where that is so; and the rows.
    """
    kept = answered(fields, rows)
    if multi_label or label_separator is not None:
        fields = fields.with_label_lists(label_separator)
    if skip_unlabelled:
        kept = labelled(fields, kept)
    with _hint_of_unlabelled(fields, kept):
        if not fields.is_multi_label and _have_label_lists(fields, kept):
            fields = fields.with_label_lists()
    if label_separator is None and (joined := _joined_labels(fields, kept)) is not None:
        print_note(f"note: {joined}")
    return fields, kept


def labelled_texts(fields: Fields, rows: Sequence[Row]) -> tuple[list[Any], list[Any], list[str] | None]:
    """Read texts, labels and second texts.

    Args:
        fields: The columns.
        rows: The rows.

    Returns:
        As `texts`, `labels` and `text_pairs` of the columns.

    Raises:
        ValueError: A row has no text, or no valid label; the message names the option for rows without one.
    """
    with _hint_of_unlabelled(fields, rows):
        return fields.texts(rows), fields.labels(rows), fields.text_pairs(rows)


def contradictions(
    texts: Sequence[str], text_pairs: Sequence[str] | None, labels: Sequence[Any], numbers: Sequence[int]
) -> str | None:
    """Return a note about rows that have the same text and different labels, or ``None``.

    Args:
        texts: The texts.
        text_pairs: The second texts, if there are any.
        labels: A label for each, or a list of labels.
        numbers: The numbers of the rows.
    """
    seconds = [None] * len(texts) if text_pairs is None else text_pairs
    found: dict[tuple[str, str | None], dict[str, list[int]]] = {}
    for text, second, label, number in zip(texts, seconds, labels, numbers, strict=True):
        written = sorted(map(str, label)) if isinstance(label, list) else label_text(label)
        found.setdefault((text, second), {}).setdefault(str(written), []).append(number)
    different = [by_label for by_label in found.values() if len(by_label) > 1]
    if not different:
        return None
    rows = sorted(number for by_label in different for each in by_label.values() for number in each)
    return (
        f"{count(len(different), 'text')} with different labels, of which at most one can be right: "
        f"row {listed(rows)}"
    )


def answered(fields: Fields, rows: Sequence[Row]) -> KeptRows:
    """Return all rows but those to which annotators gave no answer, or which they rejected.

    Notes say how many are left out.

    Args:
        fields: The columns.
        rows: The rows.
    """
    kept = KeptRows(rows, range(len(rows)))
    if not fields.is_ner:
        label = fields.label_column or LABEL
        is_open = [nested_value(row, label) is None and is_unanswered(row) for row in rows]
        kept = _without(kept, is_open, UNANSWERED)
    return _without(kept, are_rejected(fields, kept), "not accepted (`answer`)")


def labelled(fields: Fields, rows: Sequence[Row]) -> KeptRows:
    """Return the rows that have a label; a note says which ones are left out.

    Args:
        fields: The columns.
        rows: The rows.

    Returns:
        All rows if none has a label, which the reading of the labels then reports.
    """
    kept = KeptRows(rows, range(len(rows)))
    are_without = _are_unlabelled(fields, kept)
    if not any(are_without) or all(are_without):
        return kept
    numbers = [number for number, is_out in zip(kept.numbers, are_without, strict=True) if is_out]
    print_note(f"note: {count(len(numbers), 'row')} without a label left out: row {listed(numbers)}")
    return KeptRows(kept, (i for i, is_out in enumerate(are_without) if not is_out))


def are_rejected(fields: Fields, rows: Sequence[Row]) -> list[bool]:
    """Return whether each row is one of Prodigy that was rejected or ignored: its annotation is not true.

    Args:
        fields: The columns.
        rows: The rows.
    """
    if not fields.is_ner and ANSWER in (fields.text_column, fields.pair_column, fields.label_column):
        return [False] * len(rows)  # a column of the task itself, such as `reject` as a label
    return [answer_problem(row) is not None for row in rows]


@contextmanager
def _hint_of_unlabelled(fields: Fields, rows: Sequence[Row]) -> Iterator[None]:
    """Within the block, an error of labels names the option for rows without any, if there are such."""
    try:
        yield
    except ValueError as error:
        without = _are_unlabelled(fields, rows)
        if any(without) and not all(without):
            raise ValueError(f"{error}; --skip-unlabelled leaves out rows without a label") from error
        raise


def _are_unlabelled(fields: Fields, rows: Sequence[Row]) -> list[bool]:
    """Whether each row has no label: a missing value or blank text, in all of several columns.

    A list of no labels or spans is a label, and so is an empty field where a separator is given.
    """
    if fields.label_separator is not None:
        return [False] * len(rows)
    return [all(map(is_blank, values)) for values in fields.raw_labels(rows)]


def _have_label_lists(fields: Fields, rows: Sequence[Row]) -> bool:
    """Whether a text of the rows has a list of several labels, or of none."""
    if fields.is_ner:
        return False
    if fields.label_columns:
        return any(has_label_list(labels) for _, labels in fields.indicated(rows))
    return any(has_label_list(label) for (label,) in fields.raw_labels(rows))


def _joined_labels(fields: Fields, rows: Sequence[Row]) -> str | None:
    """A note for rows whose labels look like several in one text; others are passed over."""
    if fields.is_ner or fields.label_columns:
        return None
    texts = {label for (label,) in fields.raw_labels(rows) if isinstance(label, str)}
    joined = joined_labels({text for text in texts if isinstance(list_of_text(text), str)} - {""})
    return None if joined is None else f"{joined[0]}: if so, give --label-separator {joined[1]!r}"


def _without(rows: KeptRows, are_out: Sequence[bool], reason: str) -> KeptRows:
    """The rows that are not left out; a note says how many are, and why."""
    if any(are_out):
        print_note(f"note: {count(sum(are_out), 'row')} left out: {reason}")
    return KeptRows(rows, (i for i, is_out in enumerate(are_out) if not is_out))
