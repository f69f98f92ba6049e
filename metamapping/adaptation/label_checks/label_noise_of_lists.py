"""Label noise of lists: texts with any number of labels of which one is probably wrong or missing.

Every decision, whether a text has a label, is judged by the mapping of the other texts. With the probability
``p`` of what was decided and a share ε of decisions that were turned over, a decision is right with the
probability ``(1 − ε) p / ((1 − ε) p + ε (1 − p))``. As for single labels (``label_noise``), ε and the
sharpness of ``p`` are those of the highest likelihood.

    first = judge_lists(state).first(num=20, min_probability=0.5)[0]
    first.label, first.suggested                                # ["login"], ["login", "urgent"]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.label_checks.suspicious_labels import Findings, SuspiciousLabel, neighbours_of
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState, left_out_label_scores
from metamapping.models.probabilities import expit

# Standard deviation of the Gaussian prior on the logarithm of the logits' factor, and mean and standard
# deviation of the one on the log-odds of ε: 1.8 % of all decisions, most of which say that a label is absent.
_LOG_FACTOR_SPREAD, _NOISE_LOG_ODDS, _NOISE_SPREAD = 0.5, -4.0, 1.0
_TINY = 1e-7


def judge_lists(state: MultiLabelState, groups: Sequence[Any] | None = None) -> Findings:
    """Judge by the other texts which labels every text has, and lacks.

    Args:
        state: A task with examples.
        groups: The group of each text; the texts of a group do not judge one another.

    Returns:
        The texts with their lists of labels; ``suggested`` has all decisions turned over that are more
        probably wrong than right, or the likeliest of them. ``probability`` is that of the likeliest.

    Raises:
        ValueError: As ``left_out_scores``.
    """
    scores = left_out_label_scores(state, groups=groups)
    is_given = state.support.targets > 0
    wrong = _wrong(state.decisions.probabilities(scores).astype(np.float64), is_given)
    worst = wrong.max(axis=1)
    ranked = np.argsort(-worst, kind="stable")

    def describe(count: int) -> list[SuspiciousLabel]:
        chosen, pairs = ranked[:count], state.support.text_pairs
        slots = wrong[chosen].argmax(axis=1)
        turned = wrong[chosen] > 0.5
        turned[np.arange(len(chosen)), slots] = True
        given, suggested = state.label_lists(is_given[chosen]), state.label_lists(is_given[chosen] ^ turned)
        return [
            SuspiciousLabel(
                index=int(i),
                text=state.support.texts[i],
                label=given[row],
                suggested=suggested[row],
                probability=float(worst[i]),
                neighbours=near,
                text_pair=None if pairs is None else pairs[i],
            )
            for row, (i, near) in enumerate(zip(chosen, neighbours_of(state, chosen, slots), strict=True))
        ]

    return Findings(worst[ranked], len(scores), float(wrong.mean()), describe)


def _wrong(probabilities: np.ndarray, is_given: np.ndarray) -> np.ndarray:
    """The probability that each decision is wrong: ``(num_texts, num_labels)``.

    ``probabilities``: that a text has each label, by the other texts; ``is_given``: whether it was given.
    """
    from scipy.optimize import minimize

    probabilities = np.clip(probabilities, _TINY, 1.0 - _TINY)
    logits = np.log(probabilities) - np.log1p(-probabilities)
    logits = np.where(is_given, logits, -logits)

    def right(log_factor: float) -> np.ndarray:
        return expit(np.exp(log_factor) * logits)

    def loss(parameters: np.ndarray) -> float:
        log_factor, log_odds = parameters
        own, noise = right(log_factor), expit(log_odds)
        far = (log_factor / _LOG_FACTOR_SPREAD) ** 2 + ((log_odds - _NOISE_LOG_ODDS) / _NOISE_SPREAD) ** 2
        return float(far / 2 - np.log((1 - noise) * own + noise * (1 - own) + 1e-12).sum())

    start = [0.0, _NOISE_LOG_ODDS]
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3}).x
    log_factor, log_odds = float(best[0]), float(best[1])
    own, noise = right(log_factor), float(expit(log_odds))
    wrong: np.ndarray = noise * (1 - own) / ((1 - noise) * own + noise * (1 - own))
    return wrong
