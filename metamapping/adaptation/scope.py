"""Scope: which texts belong to a task at all, and the confidence from which a label is answered.

Examples may be given that belong to none of the labels. They take no part in the mapping; they say which
confidence a text outside of the task has. The threshold is then the one that would have been best for the
task's own examples, each scored by the mapping of the others, and for the texts outside. A task without such
examples has its own in their place, each scored by the mapping without its whole label. Texts outside weigh
as much as all others together, as in ``confidence``, unless it is known how many there are. The figures:
docs/experiments/threshold.md.

    find_threshold(state)                       # of the best F1
    find_threshold(state, precision=0.95)       # the lowest at which 95 % of the answers are right
    find_threshold(state, outside=0.1)          # of the best F1 where a tenth of all texts is outside
"""

from __future__ import annotations

from collections import abc
from typing import Any, Literal, NamedTuple

import numpy as np

from metamapping.adaptation.algebra.calibration import leave_out
from metamapping.adaptation.algebra.mixture import mixed_left_out
from metamapping.adaptation.state import TaskState

AUTO: Literal["auto"] = "auto"
# A probability, `auto`, or {"precision": 0.95, "outside": 0.1} or one of both.
Threshold = float | Literal["auto"] | abc.Mapping[str, float]
HALF = 0.5
_LEAST = 1e-9  # against a division by zero where no text or every text is outside
_EXPECTED = "expected a probability from 0 to 1, 'auto', {'precision': 0.95} or {'outside': 0.1}"


class ScopeEvidence(NamedTuple):
    """Confidences of texts that the mapping was not computed from.

    Attributes:
        confidence: Float ``(num_inside,)``, of examples of the task's labels.
        is_right: Bool ``(num_inside,)``, whether their label was predicted.
        outside: Float ``(num_outside,)``, confidences of texts of none of the labels.
    """

    confidence: np.ndarray
    is_right: np.ndarray
    outside: np.ndarray


def check_threshold(threshold: Any) -> None:
    """Check a threshold as a user gives it.

    Args:
        threshold: ``None``, a probability, ``auto``, or a wanted precision or the share of texts outside.

    Raises:
        ValueError: It is none of these.
    """
    if threshold is None or (isinstance(threshold, str) and threshold == AUTO):
        return
    values = [threshold]
    if isinstance(threshold, abc.Mapping):
        values = list(threshold.values())
        if not threshold or set(threshold) - {"precision", "outside"}:
            raise ValueError(f"threshold is {threshold!r}: {_EXPECTED}")
    for value in values:
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= 1:
            raise ValueError(f"threshold is {threshold!r}: {_EXPECTED}")


def threshold_of(state: TaskState, wanted: Threshold) -> float:
    """The threshold as a number.

    Args:
        state: The task.
        wanted: As ``check_threshold`` accepts it.

    Raises:
        ValueError: It is to be found, and the task has no examples to find it with.
    """
    if isinstance(wanted, str):
        return find_threshold(state)
    if isinstance(wanted, abc.Mapping):
        return find_threshold(state, **{name: float(value) for name, value in wanted.items()})
    return float(wanted)


def find_threshold(state: TaskState, *, precision: float | None = None, outside: float = HALF) -> float:
    """The threshold on the confidence that is best for what is left out.

    Args:
        state: A task of texts with examples.
        precision: The wanted share of right answers among all answers. Default: the best F1 of right answers,
            of which there could be one for each text of the task.
        outside: The share of texts outside among all texts to be answered. If there are none, only answers
            that are wrong are held back.

    Raises:
        ValueError: The task has no examples to find it with, or no threshold has that precision.
    """
    evidence = scope_evidence(state)
    if not outside:
        evidence = evidence._replace(outside=evidence.outside[:0])
    num_inside, num_outside = len(evidence.confidence), len(evidence.outside)
    confidence = np.concatenate([evidence.confidence, evidence.outside])
    inside = 1.0 - outside
    right = np.concatenate([evidence.is_right * (inside / num_inside), np.zeros(num_outside)])
    weights = np.repeat([inside / num_inside, outside / max(num_outside, 1)], [num_inside, num_outside])
    order = np.argsort(-confidence, kind="stable")
    confidence, right, answered = confidence[order], right[order].cumsum(), weights[order].cumsum()
    # A threshold lies between two different confidences; the last accepts everything.
    ends = np.flatnonzero(np.append(confidence[1:] < confidence[:-1], True))
    thresholds = np.append((confidence[ends[:-1]] + confidence[ends[:-1] + 1]) / 2, 0.0)
    right, answered = right[ends], answered[ends]
    if precision is None:
        return float(thresholds[np.argmax(right / np.maximum(answered + inside, _LEAST))])
    correct = right / np.maximum(answered, _LEAST)
    is_enough = correct >= precision
    if not is_enough.any():
        raise ValueError(
            f"no threshold has the precision {precision}: the highest is {correct.max():.3f}, for "
            "the examples that were left out; lower it, or add examples"
        )
    return float(thresholds[np.flatnonzero(is_enough)[-1]])


def scope_evidence(state: TaskState) -> ScopeEvidence:
    """What the task says about its own examples, left out, and about texts outside of it.

    Args:
        state: A task of texts with examples.

    Raises:
        ValueError: It is a ``ner`` task or one of any number of labels a text, it has no label with two
            examples, its labels are grades and none of its examples is out of scope, or its solver is not a
            ridge regression.
    """
    solution, support, calibration = state.solution, state.support, state.calibration
    if state.is_ner:
        raise ValueError("a threshold is found for tasks with one label for each text: for ner give a number")
    if state.is_multi_label:
        raise ValueError(
            "a threshold is found for tasks with one label for each text: here each label has one of its "
            "own, see `thresholds`"
        )
    has_outside = state.outside is not None and state.outside.support.num_examples > 0
    if state.is_ordinal and not has_outside:
        # A text between two grades is not outside of them: nothing can be learned by leaving a grade out.
        raise ValueError(
            "a threshold for grades is found with examples out of scope, and there are none: give a few, "
            "with `out_of_scope`, or a number"
        )
    if not support.num_examples or np.bincount(support.targets).max() < 2:
        raise ValueError(
            "a threshold is found by leaving examples out: give a label two examples, or a number, such as "
            "threshold=0.5 (on the command line --threshold 0.5)"
        )
    if solution.ridge is None:
        raise ValueError("a threshold is found with the solvers `ridge` and `plain-ridge`: give a number")
    left_out = leave_out(solution, support, by_mean=calibration.by_mean)
    scores = np.full((support.num_examples, len(state.labels)), np.nan)
    mixed = mixed_left_out(solution, support)
    if mixed is None:
        scores[left_out.rows] = left_out.scores
    else:
        scores[mixed.rows] = mixed.scores
    items = left_out.rows[np.bincount(support.targets)[left_out.targets] > 1]
    is_scored = np.isfinite(scores[items]).all(axis=1)
    items, near = items[is_scored], left_out.near_labels[is_scored]
    best, probabilities = state.best(scores[items]), state.probabilities_of(scores[items])
    confidence = probabilities[np.arange(len(best)), best] * calibration.membership(near)
    is_right = best == support.targets[items]
    if state.outside is not None and has_outside:
        outside = state.confidence(state.outside.support.features)[1]
    else:
        highest = calibration.probabilities(left_out.none_scores).max(axis=-1)
        outside = highest * calibration.membership(left_out.near_none)
    return ScopeEvidence(confidence.astype(np.float64), is_right, outside.astype(np.float64))
