"""Label noise of texts: which texts of one label each are probably labelled wrongly, judged by all others.

Every text is scored by the labels of the others (``label_similarity``), and ``label_noise`` says how probable
its label is then.

    judge_texts(state).first(num=20, min_probability=0.5)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.label_checks.label_noise import fit_noise, rank, usual_confidence
from metamapping.adaptation.label_checks.label_similarity import similarity_scores
from metamapping.adaptation.label_checks.suspicious_labels import Findings, SuspiciousLabel, neighbours_of
from metamapping.adaptation.state import TaskState


def judge_texts(state: TaskState, groups: Sequence[Any] | None = None) -> Findings:
    """Judge the label of every text by the other texts.

    Args:
        state: A task with one label for each text, and with examples.
        groups: The group of each example; the examples of a group do not judge one another.

    Raises:
        ValueError: As ``left_out.left_out_scores``.
    """
    scores, targets = similarity_scores(state, groups=groups), state.support.targets
    model = fit_noise(scores, targets, scale=state.calibration.scale)
    ranked, wrong = rank(model, scores, targets, usual=usual_confidence(model, scores))
    suggested = best_other(scores, targets)

    def describe(count: int) -> list[SuspiciousLabel]:
        chosen, pairs = ranked[:count], state.support.text_pairs
        return [
            SuspiciousLabel(
                index=int(i),
                text=state.support.texts[i],
                label=state.labels[targets[i]],
                suggested=state.labels[suggested[i]],
                probability=float(probability),
                neighbours=near,
                text_pair=None if pairs is None else pairs[i],
            )
            for i, near, probability in zip(
                chosen, neighbours_of(state, chosen, suggested[chosen]), wrong[:count], strict=True
            )
        ]

    return Findings(wrong, len(targets), float(wrong.mean()), describe)


def best_other(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The slot of the highest score but that of the given label, int ``(num_items,)``.

    Args:
        scores: ``(num_items, num_labels)``.
        targets: The given label slots ``(num_items,)``.
    """
    others = scores.copy()
    others[np.arange(len(targets)), targets] = -np.inf
    best: np.ndarray = others.argmax(axis=-1)
    return best
