"""Texts in and out of a task's scope: scores at a threshold on the confidence, and how to choose it.

Three arrays describe what a task said about some texts: the ``confidence`` of each, ``is_right``, whether the
predicted label is the text's, and ``in_scope``, whether the text has one of the task's labels at all. A text
whose confidence is below the threshold is rejected.

    threshold = best_threshold(*validation, measure=joint_accuracy)
    scope_scores(*test, threshold=threshold).f1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

Measure = Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # of rejected, is_right and in_scope


class ScopeScores(NamedTuple):
    """Accuracy of the texts in scope, and recall and F1 of finding those out of it; from 0 to 1."""

    accuracy: float
    recall: float
    f1: float


def scope_scores(
    confidence: np.ndarray, is_right: np.ndarray, in_scope: np.ndarray, *, threshold: float
) -> ScopeScores:
    """Score a task at a threshold. A text in scope that is rejected counts as an error.

    Args:
        confidence: Float ``(num_texts,)``.
        is_right: Bool ``(num_texts,)``.
        in_scope: Bool ``(num_texts,)``; at least one of each.
        threshold: Texts of lower confidence are rejected.
    """
    rejected = confidence < threshold
    accuracy = (is_right & ~rejected)[in_scope].mean()
    return ScopeScores(
        float(accuracy), float(rejected[~in_scope].mean()), f1_out_of_scope(rejected, is_right, in_scope)
    )


def best_threshold(
    confidence: np.ndarray, is_right: np.ndarray, in_scope: np.ndarray, *, measure: Measure
) -> float:
    """The threshold of the highest measure; the lowest of equal ones.

    Args:
        confidence: Float ``(num_texts,)``.
        is_right: Bool ``(num_texts,)``.
        in_scope: Bool ``(num_texts,)``.
        measure: What is to be high on these texts.
    """
    candidates = np.unique(np.append(confidence, 0.0))
    measured = [measure(confidence < each, is_right, in_scope) for each in candidates]
    return float(candidates[int(np.argmax(measured))])


def joint_accuracy(rejected: np.ndarray, is_right: np.ndarray, in_scope: np.ndarray) -> float:
    """Accuracy over all texts, where rejecting is right out of scope (Larson et al. 2019)."""
    return float(np.where(in_scope, is_right & ~rejected, rejected).mean())


def balanced_f1_out_of_scope(rejected: np.ndarray, is_right: np.ndarray, in_scope: np.ndarray) -> float:
    """The F1 of finding the texts out of scope if they were half of all texts."""
    recall, false_alarms = rejected[~in_scope].mean(), rejected[in_scope].mean()
    return float(2 * recall / (recall + false_alarms + 1.0))


def f1_out_of_scope(rejected: np.ndarray, is_right: np.ndarray, in_scope: np.ndarray) -> float:
    """F1 of finding the texts out of scope; 0 if there are none and none is rejected."""
    total = int(rejected.sum()) + int((~in_scope).sum())
    return float(2 * (rejected & ~in_scope).sum() / max(1, total))
