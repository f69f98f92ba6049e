"""Labelled rows: what the label of a row becomes, whatever the format of its file.

A ``ner`` text with spans becomes words and tags, and columns of 0 and 1 become the labels that they indicate.
Where that is not possible, and where Prodigy's annotator did not accept the row, it is a row with a fault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from metamapping.config.sources import Source
from metamapping.corpus.indicators import indicated_labels
from metamapping.corpus.rows import MALFORMED, Row
from metamapping.corpus.span_formats import ANSWER, NOT_ACCEPTED, answer_problem, has_spans, read_entities
from metamapping.corpus.spans import SpanError
from metamapping.corpus.values import UnusableError


def tagged_row(row: Row, source: Source, label: str | int | None, *, answer: Any = None) -> Row:
    """Return a row with words and tags if it is a ``ner`` text with spans, and unchanged otherwise.

    A row that Prodigy's annotator has rejected or ignored is one with a fault.

    Args:
        row: The row as it was read.
        source: The source.
        label: The column of its label.
        answer: What Prodigy says about the row, such as `reject`.
    """
    if row.fault is not None:
        return row
    if source.task_type != "ner":
        # A column of labels or texts may have the same name, and the same values.
        is_own = ANSWER in (label, source.columns.text, source.columns.text_pair)
        problem = None if is_own else answer_problem({ANSWER: answer})
        return row if problem is None else _faulty(row, NOT_ACCEPTED, problem)
    if not has_spans(row.text, row.label, label if source.columns.label is None else None):
        return row
    if problem := answer_problem({ANSWER: answer}):
        return _faulty(row, NOT_ACCEPTED, problem)
    try:
        aligned = read_entities(row.text, row.label, label)
    except SpanError as error:
        return _faulty(row, error.reason, str(error))
    return row._replace(
        text=aligned.words,
        label=aligned.tags,
        num_trimmed=aligned.num_trimmed,
        num_widened=len(aligned.widened),
    )


def with_indicated(row: Row, values: Iterable[tuple[str, Any]]) -> Row:
    """Return a row with the labels whose columns are 1; with a fault if a column is neither 0 nor 1.

    Args:
        row: The row as it was read.
        values: The name and the value of each label's column.
    """
    try:
        return row._replace(label=indicated_labels(values))
    except UnusableError as error:
        place = "the label" if row.line is None else f"line {row.line}: the label"
        return _faulty(row, MALFORMED, f"{place} {error}")


def _faulty(row: Row, fault: str, problem: str) -> Row:
    text = " ".join(map(str, row.text)) if isinstance(row.text, list | tuple) else str(row.text or "")
    return Row(row.line, text, fault=fault, problem=problem)
