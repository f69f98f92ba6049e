"""Label noise of words: where the tags of a ``ner`` task are probably wrong, judged by all other sentences.

Every word is scored by the mapping of the other sentences, and the noise model is that of texts
(``label_noise``). Words next to each other that are contradicted in the same way are one place: a missed
entity of three words is one finding.

    first = judge_words(state).first(num=20, min_probability=0.5)[0]
    first.text, first.word, first.label, first.suggested                        # …, 3, "O", "PER"
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.label_checks.label_noise import fit_noise, rank
from metamapping.adaptation.label_checks.label_noise_of_texts import best_other
from metamapping.adaptation.label_checks.suspicious_labels import Findings, SuspiciousLabel, neighbours_of
from metamapping.adaptation.left_out import left_out_scores
from metamapping.adaptation.state import TaskState

# Neighbouring words are one place if both are wrong with at least this probability.
_MIN_JOINED = 0.5


def judge_words(state: TaskState, groups: Sequence[Any] | None = None) -> Findings:
    """Judge the tag of every word by the other sentences.

    Args:
        state: A ``ner`` task with examples.
        groups: The group of each sentence; the sentences of a group do not judge one another.

    Returns:
        The places in sentences, each with the sentence's words as its text.

    Raises:
        ValueError: As ``left_out_scores``.
    """
    scores, support, targets = left_out_scores(state, groups=groups), state.support, state.support.targets
    ranked, ordered = rank(fit_noise(scores, targets, scale=state.calibration.scale), scores, targets)
    wrong = np.empty(len(targets))
    wrong[ranked] = ordered
    suggested = best_other(scores, targets)
    lengths = np.diff(support.offsets)
    sentences = np.repeat(np.arange(support.num_examples), lengths)
    place_of = _places(sentences, targets, suggested, wrong)
    # The first word of each place in the ranking stands for it.
    first = ranked[np.sort(np.unique(place_of[ranked], return_index=True)[1])]

    def describe(count: int) -> list[SuspiciousLabel]:
        chosen = first[:count]
        # The nearest words may all be of the same sentence.
        neighbours = neighbours_of(state, chosen, suggested[chosen], num_same=int(lengths.max()))
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
        return labels

    return Findings(wrong[first], len(targets), float(wrong.mean()), describe)


def _places(
    sentences: np.ndarray, targets: np.ndarray, suggested: np.ndarray, wrong: np.ndarray
) -> np.ndarray:
    """The number of each word's place, int ``(num_words,)``."""
    keys = np.stack([sentences, targets, suggested])
    is_wrong = wrong >= _MIN_JOINED
    joins = (keys[:, 1:] == keys[:, :-1]).all(axis=0) & is_wrong[1:] & is_wrong[:-1]
    places: np.ndarray = np.concatenate([[0], np.cumsum(~joins)])
    return places
