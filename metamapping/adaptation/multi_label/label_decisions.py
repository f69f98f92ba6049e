"""Label decisions: how the score of a label becomes its probability, and which labels a text has.

Each label has a sigmoid and a threshold, fitted to left-out scores; the threshold is the one of the best F1,
which is shrunk towards that of an average label. Figures: benchmarks/README.md.

    decisions = decide(left_out_scores, targets, inverse_temperature=10.0)
    decisions.chosen(decisions.probabilities(scores))      # bool (num_texts, num_labels)

Notation: ``N`` texts, ``C`` labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metamapping.adaptation.algebra.fitting_subset import spread_rows
from metamapping.adaptation.multi_label.label_sigmoids import fit_own, fit_shared
from metamapping.models.probabilities import expit

# A label's F1 at a threshold is that of its own left-out texts together with those of this many examples of
# an average label. On left-out rows of GoEmotions' train file 5 was better than 20 and 80.
_AVERAGE_EXAMPLES = 5.0
# The logits' distance over which a text counts as partly above a threshold.
_THRESHOLD_WIDTH = 0.5
_NUM_THRESHOLDS = 200
# Above this many left-out scores an even selection of the texts decides.
_MAX_DECISION_SCORES = 400_000


@dataclass(frozen=True)
class LabelDecisions:
    """How the scores of each label become its probability, and from where on a text has the label.

    Attributes:
        slopes: Float32 ``(C,)``.
        offsets: Float32 ``(C,)``: a score s has the logit ``slope * s + offset``.
        thresholds: Float32 ``(C,)``, probabilities.
    """

    slopes: np.ndarray
    offsets: np.ndarray
    thresholds: np.ndarray

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each label, independent of the others.

        Args:
            scores: ``(num_texts, C)``.

        Returns:
            Float32 ``(num_texts, C)``.
        """
        probabilities: np.ndarray = expit(self.slopes * scores + self.offsets)
        return probabilities.astype(np.float32)

    def chosen(self, probabilities: np.ndarray, threshold: float | None = None) -> np.ndarray:
        """Which labels each text has.

        Args:
            probabilities: ``(num_texts, C)``.
            threshold: The same threshold for all labels; default: each label's own.

        Returns:
            Bool ``(num_texts, C)``.
        """
        chosen: np.ndarray = probabilities >= (self.thresholds if threshold is None else threshold)
        return chosen

    def widened(self, num_labels: int) -> LabelDecisions:
        """The decisions with those of an average label for each label after the last.

        Args:
            num_labels: How many labels there are now.
        """
        missing = (0, num_labels - len(self.slopes))
        return LabelDecisions(
            *(
                np.pad(each, missing, constant_values=np.median(each))
                for each in (self.slopes, self.offsets, self.thresholds)
            )
        )

    def without(self, column: int) -> LabelDecisions:
        """The decisions without a label.

        Args:
            column: The label's slot.
        """
        return LabelDecisions(
            *(np.delete(each, column) for each in (self.slopes, self.offsets, self.thresholds))
        )


def undecided(num_labels: int, inverse_temperature: float) -> LabelDecisions:
    """The decisions of a task without examples: a text of which nothing is known has about one label.

    Args:
        num_labels: C.
        inverse_temperature: The meta-learned τ.
    """
    offset = -np.log(max(num_labels - 1, 1))
    return LabelDecisions(
        np.full(num_labels, inverse_temperature, np.float32),
        np.full(num_labels, offset, np.float32),
        np.full(num_labels, 0.5, np.float32),
    )


def decide(scores: np.ndarray, targets: np.ndarray, *, inverse_temperature: float) -> LabelDecisions:
    """Fit the sigmoids and thresholds of all labels to left-out scores.

    Args:
        scores: ``(N, C)``, of each text by the mapping of the others.
        targets: ``(N, C)``, ones and zeros.
        inverse_temperature: The meta-learned τ, around which the shared slope lies.
    """
    rows = spread_rows(scores.sum(axis=1), max(2, _MAX_DECISION_SCORES // scores.shape[1]))
    scores, targets = scores[rows].astype(np.float64), targets[rows].astype(np.float64)
    (slope,), (offset,), _ = fit_shared(scores[None], targets, inverse_temperature)
    slopes, offsets = fit_own(scores, targets, slope, offset)
    logits = slopes * scores + offsets
    thresholds = expit(_best_thresholds(logits, targets > 0))
    return LabelDecisions(*(each.astype(np.float32) for each in (slopes, offsets, thresholds)))


def _best_thresholds(logits: np.ndarray, is_label: np.ndarray) -> np.ndarray:
    """The logit from which on each label has the best smoothed F1: ``(C,)``."""
    count = is_label.sum(axis=0)
    has_examples = count > 0
    if not has_examples.any():
        return np.zeros(logits.shape[1])
    grid = np.linspace(np.quantile(logits, 0.3), logits.max(), _NUM_THRESHOLDS)
    correct, predicted = np.empty((len(grid), len(count))), np.empty((len(grid), len(count)))
    for i, threshold in enumerate(grid):
        above = expit((logits - threshold) / _THRESHOLD_WIDTH)
        correct[i], predicted[i] = (above * is_label).sum(axis=0), above.sum(axis=0)
    # An average label, per example of it.
    average_correct = (correct[:, has_examples] / count[has_examples]).mean(axis=1)
    average_predicted = (predicted[:, has_examples] / count[has_examples]).mean(axis=1)
    f1 = 2.0 * (correct + _AVERAGE_EXAMPLES * average_correct[:, None])
    f1 /= predicted + count + _AVERAGE_EXAMPLES * (average_predicted[:, None] + 1.0)
    thresholds: np.ndarray = grid[f1.argmax(axis=0)]
    return thresholds
