"""Scores of lists of labels, and the cross-validation of a task whose texts have several.

label_list_scores([["a", "b"], []], [["a"], []]).scores["macro-F1"]
print(cross_validate_lists(state))
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.cross_validation import CrossValidation
from metamapping.adaptation.multi_label.label_decisions import decide
from metamapping.adaptation.multi_label.multi_label_state import (
    MultiLabelState,
    left_out_label_scores,
    set_confidence,
)
from metamapping.adaptation.results import Error
from metamapping.adaptation.scores import Scores, list_scores
from metamapping.config.labels import label_text

# Thresholds are fitted to all but one of so many parts of the left-out scores.
_NUM_PARTS = 10


def label_list_scores(
    gold: Sequence[Sequence[Any]],
    predicted: Sequence[Sequence[Any]],
    *,
    groups: Sequence[Hashable] | None = None,
) -> Scores:
    """Macro-F1, micro-F1 and the share of texts all of whose labels are right.

    Args:
        gold: The true labels of each text.
        predicted: The predicted labels of each text.
        groups: The group of each text; the intervals are then over groups.

    Raises:
        ValueError: There are no texts.
    """
    true, found = (
        [sorted({str(label_text(label)) for label in row}) for row in rows] for rows in (gold, predicted)
    )
    return list_scores(true, found, groups=groups)


def cross_validate_lists(state: MultiLabelState, *, groups: Sequence[Any] | None = None) -> CrossValidation:
    """Predict the labels of every example by the mapping of all others.

    Args:
        state: A task with examples.
        groups: The group of each example; the examples of a group are left out together.

    Returns:
        The predictions with macro-F1, micro-F1 and subset accuracy; nothing is confused with anything.

    Raises:
        ValueError: There are fewer than two examples, or as ``left_out.left_out_scores``.
    """
    support = state.support
    if support.num_examples < 2:
        raise ValueError("the task has fewer than two examples, so that none can be left out: add some")
    scores = left_out_label_scores(state, groups=groups)
    targets = support.targets
    probabilities = np.empty(scores.shape, np.float32)
    chosen = np.empty(scores.shape, bool)
    for part in _parts(support.features, groups):
        decisions = decide(scores[~part], targets[~part], inverse_temperature=state.calibration.scale)
        probabilities[part] = decisions.probabilities(scores[part])
        chosen[part] = decisions.chosen(probabilities[part])
    predictions, gold = state.label_lists(chosen), state.label_lists(targets > 0)
    confidence = set_confidence(probabilities, chosen)
    wrong = np.flatnonzero((chosen != (targets > 0)).any(axis=-1))
    errors = [
        Error(
            index=int(i),
            text=support.texts[i],
            label=gold[i],
            predicted=predictions[i],
            probability=float(confidence[i]),
            text_pair=None if support.text_pairs is None else support.text_pairs[i],
        )
        for i in wrong[np.argsort(-confidence[wrong], kind="stable")]
    ]
    return CrossValidation(
        predictions,
        probabilities,
        state.labels,
        label_list_scores(gold, predictions, groups=groups),
        errors,
        int((targets.sum(axis=0) == 1).sum()),
        state.is_tuned,
    )


def _parts(features: np.ndarray, groups: Sequence[Any] | None) -> list[np.ndarray]:
    """The examples whose decisions are fitted to all others: bool ``(num_examples,)`` for each part.

    Copies of one text, or the examples of a group, are in the same part, and the order in which they were
    given does not matter.
    """
    if groups is None:
        rank = np.unique(features[:, 0], return_inverse=True)[1]
    else:
        number_of = {group: number for number, group in enumerate(dict.fromkeys(groups))}
        rank = np.array([number_of[group] for group in groups])
    num_parts = min(_NUM_PARTS, int(rank.max()) + 1)
    if num_parts < 2:  # copies of one text only
        rank, num_parts = np.arange(len(features)), min(_NUM_PARTS, len(features))
    return [rank % num_parts == part for part in range(num_parts)]
