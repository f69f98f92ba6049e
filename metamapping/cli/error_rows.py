"""The rows that a task predicts wrongly, as they are written to a file.

rows = error_rows(rows_of_the_file, mapping.errors(texts, labels))
rows[0]["prediction"], rows[0]["similar"][0]["text"]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from metamapping.cli.rows import PREDICTION, Row, SpanList
from metamapping.config.labels import label_text

if TYPE_CHECKING:  # it imports TensorFlow
    from metamapping.adaptation.results import Error, Neighbour

_DIGITS = 4


def error_rows(rows: Sequence[Row], errors: Sequence[Error]) -> list[Row]:
    """The wrong rows of a file, with all their columns.

    Args:
        rows: The rows of the file.
        errors: The errors among them.

    Returns:
        Rows in the order of the errors, with the columns `prediction`, `probability`, `similar` and for ner
        `word`, the position of the word that `similar` is about. Columns of these names are replaced.
    """
    return [{**rows[error.index], **_columns(error)} for error in errors]


def example_rows(errors: Sequence[Error]) -> list[Row]:
    """The wrong examples of a task.

    Args:
        errors: The errors among the examples.

    Returns:
        Rows as from ``error_rows``, with the columns `text` (ner: `words`), `label` (ner: `tags`) and
        `example`, the position of the example in the task.
    """
    return [{"example": error.index, **_own_columns(error), **_columns(error)} for error in errors]


def similar_rows(explanation: Sequence[Neighbour]) -> list[dict[str, Any]]:
    """The examples of an explanation as plain values.

    Args:
        explanation: Similar examples.
    """
    rows = []
    for each in explanation:
        row: dict[str, Any] = {"text": each.text}
        if each.text_pair is not None:
            row["text_pair"] = each.text_pair
        row |= {
            "label": shown_label(each.label),
            "similarity": round(each.similarity, _DIGITS),
            "weight": round(each.weight, _DIGITS),
            "example": each.index,
        }
        if each.word is not None:
            row["word"] = each.word
        rows.append(row)
    return rows


def shown_text(text: Any, text_pair: str | None) -> str:
    """A text or a pair of them in one cell of a table.

    Args:
        text: The text; ``None`` if the task was saved without it.
        text_pair: The second text, if there is one.
    """
    shown = "(saved without its text)" if text is None else str(text)
    return shown if text_pair is None else f"{shown} / {text_pair}"


def shown_label(label: Any) -> Any:
    """A label as text, or a list of labels, which is JSON in CSV.

    Args:
        label: A label, or a list of them.
    """
    return SpanList(map(label_text, label)) if isinstance(label, list) else label_text(label)


def _own_columns(error: Error) -> Row:
    if error.word is not None:
        return {"words": error.text, "tags": error.label}
    pair = {} if error.text_pair is None else {"text_pair": error.text_pair}
    return {"text": error.text, **pair, "label": shown_label(error.label)}


def _columns(error: Error) -> Row:
    prediction = error.predicted
    if not isinstance(prediction, list):
        prediction = None if prediction is None else label_text(prediction)
    elif error.word is None:  # labels of a text
        prediction = shown_label(prediction)
    columns = {PREDICTION: prediction, "probability": round(error.probability, _DIGITS)}
    if error.word is not None:
        columns["word"] = error.word
    if error.explanation is not None:
        columns["similar"] = similar_rows(error.explanation)
    return columns
