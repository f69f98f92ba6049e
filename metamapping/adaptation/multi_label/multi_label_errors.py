"""Errors of a task whose texts have any number of labels: the texts with a wrong list, the surest first.

errors = list_errors(state, probabilities, chosen, rows, features, is_empty, num_examples=3)
errors[0].text, errors[0].predicted, errors[0].explanation[0].text
"""

from __future__ import annotations

import numpy as np

from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.explanation import explain
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState, set_confidence
from metamapping.adaptation.results import Error, Explanation
from metamapping.config.labels import label_text


def list_errors(
    state: MultiLabelState,
    probabilities: np.ndarray,
    chosen: np.ndarray,
    rows: Examples,
    features: np.ndarray,
    is_empty: np.ndarray,
    *,
    num_examples: int,
) -> list[Error]:
    """The texts whose labels are not all predicted, or of which others are predicted as well.

    Args:
        state: The task.
        probabilities: ``(num_texts, num_labels)``.
        chosen: Bool ``(num_texts, num_labels)``: which labels are predicted.
        rows: The texts with their labels.
        features: Float32 ``(num_texts, num_views * dim)``.
        is_empty: Booleans ``(num_texts,)``: such texts get no label.
        num_examples: How many similar examples explain each error.

    Returns:
        The errors; those about which the mapping is surest come first. Explained is the wrongly decided
        label that is furthest from its threshold.
    """
    confidence = set_confidence(probabilities, chosen)
    known = [label_text(label) for label in state.labels]
    # Labels are compared as texts, as those of a file are.
    gold = [{str(label_text(label)) for label in row} for row in rows.labels]
    is_gold = np.array([[name in row for name in known] for row in gold]).reshape(chosen.shape)
    is_unknown = np.array([not row <= set(known) for row in gold])
    wrong = np.flatnonzero((is_gold != chosen).any(axis=-1) | is_unknown)
    wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    predicted = state.label_lists(chosen)
    distance = np.abs(probabilities - state.decisions.thresholds)
    slots = np.where(is_gold != chosen, distance, -1.0).argmax(axis=-1)
    explanations: list[Explanation | None] = [None] * len(wrong)
    if num_examples and state.support.num_examples:
        explanations = list(explain(state, features[wrong], num_examples=num_examples, slots=slots[wrong]))
    return [
        Error(
            index=int(i),
            text=rows.texts[i],
            label=rows.labels[i],
            predicted=predicted[i],
            probability=0.0 if is_empty[i] else float(confidence[i]),
            explanation=None if is_empty[i] else explanation,
            text_pair=None if rows.text_pairs is None else rows.text_pairs[i],
        )
        for i, explanation in zip(wrong, explanations, strict=True)
    ]
