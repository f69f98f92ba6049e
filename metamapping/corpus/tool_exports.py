"""Tool exports: what annotators answered about whole texts, as Label Studio and Argilla write it.

- Label Studio, JSON: ``{"data": {"text": …}, "annotations": [{"result": [{"from_name": "label", "value":
  {"choices": ["refund"]}}]}]}``; JSON-MIN: ``{"text": …, "label": "refund"}``, or ``{"choices": [...]}`` for
  several;
- Argilla: ``{"fields": {"text": …}, "responses": {"label": [{"value": "refund", "user_id": …}]}}``, or
  flattened, ``{"text": …, "label.responses": ["refund"], "label.responses.status": ["submitted"]}``.

Input: an object of such a file. Output: the same object with the texts and the answers as columns of their
own, so that every command and source reads it as any other row. The answer of the only question is also the
column ``label``.

    with_answers({"fields": {"text": "my parcel"}, "responses": {"topic": [{"value": "delivery"}]}})
    # {"text": "my parcel", "topic": "delivery", "label": "delivery", "fields": …, "responses": …}

Suggestions are no answers. Of several annotators the ground truth counts, or else what most of them say. If
none says anything, or as many say one thing as another, there is no answer (``is_unanswered``).
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

LABEL = "label"
UNANSWERED = "the annotators gave no answer, skipped it or disagree evenly"
_RESPONSES, _STATUS = ".responses", ".responses.status"
_UNFINISHED = ("discarded", "draft", "pending")  # statuses of Argilla that are no submitted answer
# The words of named entities, which `span_formats` reads.
_WORD_COLUMNS = {"words", "tags", "tokenized_text"}


def with_answers(row: dict[str, Any]) -> dict[str, Any]:
    """Return an object of a labelling tool with its texts and answers as columns; others are unchanged.

    Args:
        row: An object of a JSON file.
    """
    answers = _answers(row)
    if answers is None:
        return _with_plain_choices(row)
    texts = _texts(row)
    if len(answers) == 1 and LABEL not in {*texts, *answers, *row}:
        answers = {**answers, LABEL: next(iter(answers.values()))}
    return {**texts, **answers, **row}


def is_unanswered(row: dict[str, Any]) -> bool:
    """Return whether a row is one of a labelling tool for which there is no answer.

    Args:
        row: An object of a JSON file.
    """
    return _answers(row) == {}


def _answers(row: dict[str, Any]) -> dict[str, Any] | None:
    """The answer to each question that has one; ``None`` if the row is of no tool, or about spans."""
    # A task that has predictions and was never annotated, as `suggest` writes it, has no annotations.
    annotations = row.get("annotations", [] if isinstance(row.get("predictions"), list) else None)
    if isinstance(row.get("data"), dict) and isinstance(annotations, list):
        return _of_label_studio(row["data"], annotations)
    if isinstance(row.get("fields"), dict) and isinstance(row.get("responses"), dict):
        return _agreed(
            (question, response.get("value"))
            for question, responses in row["responses"].items()
            for response in (responses if isinstance(responses, list) else ())
            if isinstance(response, dict) and response.get("status") not in _UNFINISHED
        )
    questions = [
        name.removesuffix(_RESPONSES)
        for name in row
        if name.endswith(_RESPONSES) and name.removesuffix(_RESPONSES) + _STATUS in row
    ]
    return _agreed(_flattened(row, questions)) if questions else None


def _of_label_studio(data: dict[str, Any], annotations: list[Any]) -> dict[str, Any] | None:
    """The choices of the annotations that were not skipped, of the ground truth alone if there is one."""
    if _WORD_COLUMNS & set(data):
        return None
    submitted = [
        each for each in annotations if isinstance(each, dict) and each.get("was_cancelled") is not True
    ]
    submitted = [each for each in submitted if each.get("ground_truth") is True] or submitted
    results = [
        result
        for each in submitted
        if isinstance(each.get("result"), list)
        for result in each["result"]
        if isinstance(result, dict) and isinstance(result.get("value"), dict)
    ]
    if any("labels" in result["value"] for result in results):
        return None
    return _agreed(
        (str(result.get("from_name", LABEL)), result["value"]["choices"])
        for result in results
        if "choices" in result["value"]
    )


def _flattened(row: dict[str, Any], questions: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for question in questions:
        values, statuses = row[question + _RESPONSES], row[question + _STATUS]
        if not isinstance(values, list) or not isinstance(statuses, list) or len(values) != len(statuses):
            continue
        pairs = zip(values, statuses, strict=True)
        yield from ((question, value) for value, status in pairs if status not in _UNFINISHED)


def _agreed(given: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """The answer that most annotators gave to each question; a list of one choice is that choice."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for question, value in given:
        chosen = value[0] if isinstance(value, list) and len(value) == 1 else value
        if chosen not in (None, []):
            # The order of several choices has no meaning.
            votes[question][json.dumps(sorted(chosen, key=str) if isinstance(chosen, list) else chosen)] += 1
    agreed = {}
    for question, counts in votes.items():
        (first, most), *others = counts.most_common(2)
        if not others or others[0][1] < most:
            agreed[question] = json.loads(first)
    return agreed


def _texts(row: dict[str, Any]) -> dict[str, Any]:
    """The texts of a row, which the tools keep in an object of their own."""
    return next((dict(row[name]) for name in ("data", "fields") if isinstance(row.get(name), dict)), {})


def _with_plain_choices(row: dict[str, Any]) -> dict[str, Any]:
    """The row with each ``{"choices": [...]}`` as the list, as JSON-MIN writes several choices."""
    if not any(isinstance(value, dict) and list(value) == ["choices"] for value in row.values()):
        return row
    return {
        name: value["choices"] if isinstance(value, dict) and list(value) == ["choices"] else value
        for name, value in row.items()
    }
