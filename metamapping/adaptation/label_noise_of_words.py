"""Label noise of words: where the tags of a ``ner`` task are probably wrong, judged by all other sentences.

Every word is scored by the mapping of the other sentences, and the noise model is that of texts
(``label_noise``). Words next to each other that are contradicted in the same way are one place: a missed
entity of three words is one finding.

    suspicious = suspicious_words(state, num=20)
    suspicious[0].text, suspicious[0].word, suspicious[0].label, suspicious[0].suggested   # …, 3, "O", "PER"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.explanation import explain
from metamapping.adaptation.label_noise import (
    NUM_NEIGHBOURS,
    SuspiciousLabel,
    SuspiciousLabels,
    check_wanted,
    fit_noise,
    rank,
)
from metamapping.adaptation.left_out import left_out_scores
from metamapping.adaptation.state import TaskState

# Neighbouring words are one place if both are wrong with at least this probability.
_MIN_JOINED = 0.5


def suspicious_words(
    state: TaskState,
    *,
    num: int | None = None,
    min_probability: float = 0.5,
    groups: Sequence[Any] | None = None,
) -> SuspiciousLabels:
    """Find the places whose tags the other sentences contradict.

    Args:
        state: A ``ner`` task with examples.
        num: How many places to return, whatever their probability. Default: all from ``min_probability``.
        min_probability: The lowest probability of being wrong that is returned, from 0 to 1.
        groups: The group of each sentence; the sentences of a group do not judge one another.

    Returns:
        The places, with the sentence's words as ``text``; the highest probability comes first.

    Raises:
        ValueError: A number is out of range, or as ``left_out_scores``.
    """
    check_wanted(num, min_probability)
    scores = left_out_scores(state, groups=groups)
    support, targets = state.support, state.support.targets
    ranked, ordered = rank(fit_noise(scores, targets, scale=state.calibration.scale), scores, targets)
    wrong = np.empty(len(targets))
    wrong[ranked] = ordered
    others = scores.copy()
    others[np.arange(len(targets)), targets] = -np.inf
    suggested = others.argmax(axis=-1)
    sentences = np.repeat(np.arange(support.num_examples), np.diff(support.offsets))
    place_of = _places(sentences, targets, suggested, wrong)
    # The first word of each place in the ranking stands for it.
    first = ranked[np.sort(np.unique(place_of[ranked], return_index=True)[1])]
    chosen = first[: int((wrong[first] >= min_probability).sum()) if num is None else num]
    neighbours = []
    if len(chosen):
        # The nearest words may all be of the same sentence.
        num_words = NUM_NEIGHBOURS + int(np.diff(support.offsets).max())
        explanations = explain(
            state, support.features[chosen], num_examples=num_words, slots=suggested[chosen]
        )
        neighbours = [
            [near for near in explanation if near.index != sentences[item]][:NUM_NEIGHBOURS]
            for item, explanation in zip(chosen, explanations, strict=True)
        ]
    labels = []
    for item, near in zip(chosen.tolist(), neighbours, strict=True):
        words = np.flatnonzero(place_of == place_of[item]) - support.offsets[sentences[item]]
        labels.append(
            SuspiciousLabel(
                index=int(sentences[item]),
                text=support.texts[sentences[item]],
                label=state.labels[targets[item]],
                suggested=state.labels[suggested[item]],
                probability=float(wrong[item]),
                neighbours=near,
                word=int(words[0]),
                num_words=len(words),
            )
        )
    return SuspiciousLabels(labels, num_examples=len(targets), noise=float(wrong.mean()))


def _places(
    sentences: np.ndarray, targets: np.ndarray, suggested: np.ndarray, wrong: np.ndarray
) -> np.ndarray:
    """The number of each word's place, int ``(num_words,)``."""
    keys = np.stack([sentences, targets, suggested])
    is_wrong = wrong >= _MIN_JOINED
    joins = (keys[:, 1:] == keys[:, :-1]).all(axis=0) & is_wrong[1:] & is_wrong[:-1]
    places: np.ndarray = np.concatenate([[0], np.cumsum(~joins)])
    return places
