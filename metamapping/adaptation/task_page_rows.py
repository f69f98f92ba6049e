"""The rows of a task's page: suspicious labels, the worst examples, and the examples of each label.

suspicious_rows(state)["suspicious"][0]["suggested"]
error_rows(state, cross_validate(state))[0]["predicted"]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metamapping.adaptation.cross_validation import CrossValidation
from metamapping.adaptation.entity_scores import entity_spans
from metamapping.adaptation.errors import with_explanations
from metamapping.adaptation.explanation import explain
from metamapping.adaptation.label_checks.label_checks import check_labels
from metamapping.adaptation.label_checks.suspicious_labels import label_words
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState
from metamapping.adaptation.results import Error, Explanation, Neighbour
from metamapping.adaptation.state import TaskState
from metamapping.config.labels import label_text
from metamapping.corpus.tags import OUTSIDE

MAX_ERRORS, MAX_SUSPICIOUS = 30, 30
MAX_EXAMPLES_OF_LABEL, MAX_CHARACTERS, NUM_NEIGHBOURS = 20, 400, 3
# Of the words that resemble a word, so many are looked at to find some of other sentences.
_NUM_WORDS = 20
_NO_TEXT = "(the task was saved without texts)"


def suspicious_rows(state: TaskState) -> dict[str, Any]:
    """The labels that are probably wrong, with the words that they are about for ``ner``.

    Args:
        state: A task whose examples can be left out.

    Returns:
        ``suspicious``, the rows, or ``None`` where a label cannot be wrong; ``noise``, the share of all
        labels that is estimated to be wrong.
    """
    if len(state.labels) < state.min_labels:
        return {"suspicious": None, "noise": ""}
    found = check_labels(state)
    rows = [
        {
            "probability": f"{each.probability:.2f}",
            "index": each.index,
            "words": "" if each.word is None or each.text is None else _text(each.excerpt),
            "label": label_words(each.label),
            "suggested": label_words(each.suggested),
            "text": _text(each.text, each.text_pair),
            "neighbours": [_neighbour(near) for near in each.neighbours],
        }
        for each in found[:MAX_SUSPICIOUS]
    ]
    return {"suspicious": rows, "noise": f"{100 * found.noise:.1f} %"}


def error_rows(state: TaskState, result: CrossValidation) -> list[dict[str, Any]]:
    """The examples that the others predict wrongly, the surest first.

    Args:
        state: The task.
        result: Its cross-validation.
    """
    errors = result.errors[:MAX_ERRORS]
    if isinstance(state, MultiLabelState):
        errors = _explained_lists(state, errors, result)
    else:
        errors = _explained(state, errors)
    return [
        {
            "probability": f"{error.probability:.2f}",
            "index": error.index,
            "label": _entities(error, error.label) if state.is_ner else _label(error.label),
            "predicted": _entities(error, error.predicted) if state.is_ner else _label(error.predicted),
            "text": _text(error.text, error.text_pair),
            "neighbours": [_neighbour(near) for near in error.explanation or ()],
        }
        for error in errors
    ]


def example_groups(state: TaskState) -> list[dict[str, Any]]:
    """The texts of each label; for ``ner`` the sentences that contain it.

    Args:
        state: The task.
    """
    support = state.support
    if not support.num_examples or support.texts[0] is None:
        return []
    pairs = support.text_pairs or (None,) * support.num_examples
    texts = [_text(text, pair) for text, pair in zip(support.texts, pairs, strict=True)]
    groups: dict[str, list[str]] = {}
    for i, text in enumerate(texts):
        for label in _labels_of(state, i):
            if not state.is_ner or label != OUTSIDE:
                groups.setdefault(label, []).append(text)
    return [
        {
            "label": label,
            "texts": found[:MAX_EXAMPLES_OF_LABEL],
            "more": max(0, len(found) - MAX_EXAMPLES_OF_LABEL),
        }
        for label, found in sorted(groups.items())
    ]


def _labels_of(state: TaskState, example: int) -> list[str]:
    """The labels of an example, each once, as texts."""
    if isinstance(state, MultiLabelState):
        return [str(label_text(label)) for label in state.label_of_item(example)] or [_label([])]
    items = slice(state.support.offsets[example], state.support.offsets[example + 1])
    slots = dict.fromkeys(state.support.targets[items].tolist())
    return [str(label_text(state.labels[slot])) for slot in slots]


def _explained(state: TaskState, errors: Sequence[Error]) -> list[Error]:
    """Errors with the most similar other examples: an example is its own nearest neighbour."""
    support = state.support
    items = [int(support.offsets[error.index]) + (error.word or 0) for error in errors]
    number = _NUM_WORDS if state.is_ner else NUM_NEIGHBOURS + 1
    explained = with_explanations(state, errors, support.features, items, num_examples=number)
    return [replace(error, explanation=_of_others(error, error.explanation)) for error in explained]


def _explained_lists(state: MultiLabelState, errors: Sequence[Error], result: CrossValidation) -> list[Error]:
    """Errors with the most similar other examples, about the wrong label that was decided most surely."""
    if not errors:
        return []
    items = np.array([error.index for error in errors])
    given = state.support.targets[items] > 0
    found = np.array([[label in error.predicted for label in state.labels] for error in errors])
    distance = np.abs(np.asarray(result.probabilities)[items] - state.decisions.thresholds)
    slots = np.where(given != found, distance, -1.0).argmax(axis=-1)
    explanations = explain(state, state.support.features[items], num_examples=NUM_NEIGHBOURS + 1, slots=slots)
    return [
        replace(error, explanation=_of_others(error, explanation))
        for error, explanation in zip(errors, explanations, strict=True)
    ]


def _of_others(error: Error, found: Explanation | None) -> Explanation | None:
    if found is None:
        return None
    others = [near for near in found if near.index != error.index]
    return Explanation(others[:NUM_NEIGHBOURS], label=found.label, score=found.score, prior=found.prior)


def _label(given: Any) -> str:
    return "no label" if given is None else label_words(given)


def _entities(error: Error, tags: Sequence[str]) -> str:
    """The entities of a sentence's BIO tags, with their words where they were kept."""
    words = error.text or [""] * len(tags)
    spans = sorted(entity_spans(0, tags), key=lambda span: span[1])
    entities = [f"{kind}: {' '.join(map(str, words[start:end]))}" for _, start, end, kind in spans]
    return "; ".join(entities) or "no entity"


def _neighbour(near: Neighbour) -> dict[str, str]:
    return {
        "text": _text(near.text, near.text_pair),
        "label": label_words(near.label),
        "weight": f"{near.weight:+.2f}",
    }


def _text(text: Any, pair: str | None = None) -> str:
    """A text, the words of a sentence, or a pair of texts, cut to a length that a table can show."""
    if text is None:
        return _NO_TEXT
    whole = text if isinstance(text, str) else " ".join(map(str, text))
    shown = whole if pair is None else f"{whole} ‖ {pair}"
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[:MAX_CHARACTERS]}…"
