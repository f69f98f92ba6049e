"""Grades: tasks whose labels have an order, such as stars or severity.

The mapping is that of any task. Its scores, weighted by the grades' places on a line from -1 to 1, are one
number for each text, still linear in the features: how high it is graded. Between any two neighbouring grades
there is a cut on that line, and all cuts have one slope (an ordered logit); they are fitted to what the
mapping says about examples that were left out. A grade's probability is a mean of what the cuts say and what
the scores say by themselves, weighted by what predicts left-out examples better: grades need not lie on a
line. The grade of the smallest expected cost is predicted: its distance from the true one, and ``ANY_ERROR``
if it is not the true one. The figures: docs/experiments/grades.md.

    order = read_grades(["bad", "ok", "good"])
    cuts = fit_grade_cuts(left_out_scores, targets)
    best_grades(cuts.probabilities(scores))     # slots (num_texts,)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metamapping.adaptation.inputs.inputs import read_labels
from metamapping.config.labels import label_text
from metamapping.corpus.labels import Label
from metamapping.errors import listed
from metamapping.models.probabilities import expit, softmax

# Heights are scaled to this standard deviation, about that of grades that are evenly spread from -1 to 1.
_HEIGHT_SPREAD = 0.7
# The prior: cuts lie halfway between the grades' places, with this standard deviation, and have this slope,
# with the standard deviation 1 of its logarithm.
_CUT_SPREAD, _SLOPE = 0.3, 4.0
# What a wrong grade costs, in grades, whatever its distance. Without it the median would be predicted, whose
# distance is smallest, but which lies in the middle wherever little is known, and is seldom exactly right.
ANY_ERROR = 2.0
_NUM_FOLDS = 5
_SHARES = np.linspace(0.0, 1.0, 21)


@dataclass(frozen=True)
class GradeCuts:
    """Where one grade ends and the next begins.

    Attributes:
        centre: The mean height of left-out examples.
        scale: Heights less the centre are multiplied by it.
        slope: Slope of the logistic function at each cut.
        cuts: The scaled height of each cut, in increasing order; one less than there are grades.
        share: The weight of the cuts relative to the scores, from 0 to 1.
    """

    centre: float
    scale: float
    slope: float
    cuts: tuple[float, ...]
    share: float = 0.5

    def mixed(self, scores: np.ndarray, by_scores: np.ndarray) -> np.ndarray:
        """The probability of each grade, by the cuts and by the scores themselves.

        Args:
            scores: ``(num_texts, num_grades)``.
            by_scores: The probabilities that the scores give, ``(num_texts, num_grades)``.

        Returns:
            Float32 ``(num_texts, num_grades)``; rows sum to 1.
        """
        share = np.float32(self.share)
        mean: np.ndarray = (1 - share) * by_scores + share * self.probabilities(scores)
        return mean

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each grade, by the cuts alone.

        Args:
            scores: ``(num_texts, num_grades)``.

        Returns:
            Float32 ``(num_texts, num_grades)``; rows sum to 1.
        """
        heights = self.scale * (_heights(scores) - self.centre)
        below = expit(self.slope * (np.asarray(self.cuts) - heights[:, None]))
        ends = np.zeros((len(scores), 1)), np.ones((len(scores), 1))
        probabilities: np.ndarray = np.diff(np.concatenate([ends[0], below, ends[1]], axis=1), axis=1)
        return probabilities.astype(np.float32)

    def affine(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The logits that a text is graded no higher than each cut, as a function of its features.

        Args:
            kernel: ``(text_dim, num_grades)``, of the scores.
            bias: ``(num_grades,)``.

        Returns:
            Kernel ``(text_dim, num_grades - 1)`` and bias ``(num_grades - 1,)``.
        """
        heights, height = _heights(kernel), float(_heights(bias))
        cuts = np.asarray(self.cuts) - self.scale * (height - self.centre)
        return np.outer(heights, np.full(len(cuts), -self.slope * self.scale)), self.slope * cuts


def fit_grade_cuts(scores: np.ndarray, targets: np.ndarray) -> GradeCuts:
    """Fit the cuts between grades to examples that the scores were not computed from.

    Args:
        scores: ``(num_examples, num_grades)``.
        targets: Slots of the grades, ``(num_examples,)``.
    """
    from scipy.optimize import minimize  # predicting does not need it

    num_grades, heights = scores.shape[1], _heights(scores)
    centre, scale = float(heights.mean()), float(_HEIGHT_SPREAD / (heights.std() + 1e-9))
    heights = scale * (heights - centre)
    places = np.linspace(-1.0, 1.0, num_grades)
    expected = (places[1:] + places[:-1]) / 2
    is_above = targets[:, None] > np.arange(num_grades - 1)

    def loss(parameters: np.ndarray) -> float:
        slope, offsets = np.exp(parameters[0]), parameters[1:]
        logits = slope * heights[:, None] - offsets
        fit = np.logaddexp(0.0, np.where(is_above, -logits, logits)).sum() / (num_grades - 1)
        prior = (parameters[0] - np.log(_SLOPE)) ** 2 / 2
        return float(fit + prior + ((offsets / slope - expected) ** 2).sum() / (2 * _CUT_SPREAD**2))

    found = minimize(loss, np.append(np.log(_SLOPE), _SLOPE * expected), method="L-BFGS-B").x
    slope = float(np.exp(found[0]))
    return GradeCuts(centre, scale, slope, tuple(np.sort(found[1:] / slope).tolist()))


def share_of_cuts(scores: np.ndarray, by_scores: np.ndarray, targets: np.ndarray, folds: np.ndarray) -> float:
    """The weight of cuts relative to scores that explains examples best: the mean under its likelihood.

    Args:
        scores: Of examples by mappings without them, ``(num_examples, num_grades)``.
        by_scores: The probabilities that these scores give, ``(num_examples, num_grades)``.
        targets: Slots of the grades, ``(num_examples,)``.
        folds: The number of each example's fold, ``(num_examples,)``: its cuts are fitted to other folds.
    """
    folds = folds % _NUM_FOLDS
    by_cuts = np.full(scores.shape, 1.0 / scores.shape[1])
    for fold in np.unique(folds):
        is_left_out = folds == fold
        if not is_left_out.all():
            cuts = fit_grade_cuts(scores[~is_left_out], targets[~is_left_out])
            by_cuts[is_left_out] = cuts.probabilities(scores[is_left_out])
    rows = np.arange(len(targets))
    of_cuts, of_scores = by_cuts[rows, targets], by_scores[rows, targets]
    mixed = _SHARES[:, None] * of_cuts + (1.0 - _SHARES[:, None]) * of_scores
    return float(softmax(np.log(np.maximum(mixed, 1e-12)).sum(axis=1)) @ _SHARES)


def _heights(scores: np.ndarray) -> np.ndarray:
    """How high each text is graded: ``(…, num_grades)`` to ``(…,)``."""
    heights: np.ndarray = scores @ np.linspace(-1.0, 1.0, scores.shape[-1])
    return heights


def read_grades(ordinal: Any) -> list[Label]:
    """Read the grades of a task, in their order.

    Args:
        ordinal: A column of labels, from one end to the other.

    Raises:
        ValueError: It is no column, there are fewer than two, or one occurs twice.
    """
    if isinstance(ordinal, str | bytes) or not hasattr(ordinal, "__len__"):
        raise ValueError(f"ordinal is {ordinal!r:.80}: give a list of the grades, from one end to the other")
    grades = read_labels(ordinal)
    texts = [label_text(grade) for grade in grades]
    twice = [grade for grade, text in zip(grades, texts, strict=True) if texts.count(text) > 1]
    if twice:
        raise ValueError(f"ordinal has {twice[0]!r} twice: give each grade once, from one end to the other")
    if len(grades) < 2:
        raise ValueError(f"ordinal is {grades}: give at least two grades, from one end to the other")
    return grades


def check_grades(
    labels: Sequence[Label], grades: Sequence[Label], *, rows: Sequence[int] | None = None
) -> None:
    """Check that labels are grades of a task.

    Args:
        labels: The labels of examples.
        grades: The task's grades.
        rows: The numbers of their rows in a file, for the error message.

    Raises:
        ValueError: One is not.
    """
    known = {label_text(grade) for grade in grades}
    for i, label in enumerate(labels):
        if label_text(label) not in known:
            others = {str(label_text(each)) for each in labels} - {*map(str, known), str(label_text(label))}
            also = f" (nor are {listed([repr(each) for each in sorted(others)])})" if others else ""
            place = f"label {i}" if rows is None else f"the label of row {rows[i]}"
            raise ValueError(
                f"{place} is {label!r}, which is not one of the grades {listed(grades)}{also}: write the "
                "labels and `ordinal` alike"
            )


def best_grades(probabilities: np.ndarray) -> np.ndarray:
    """The grade of the smallest expected cost, for each text.

    Args:
        probabilities: ``(num_texts, num_grades)`` in the order of the grades; rows sum to 1.

    Returns:
        Slots, int ``(num_texts,)``.
    """
    grades = np.arange(probabilities.shape[-1])
    distances = np.abs(grades[:, None] - grades)
    costs = distances + ANY_ERROR * (distances > 0)
    slots: np.ndarray = (probabilities @ costs).argmin(axis=-1)
    return slots
