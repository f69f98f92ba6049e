"""Calibration: turns a task's scores into probabilities, fitted on the task's own examples.

Each example is scored by the mapping computed without it (leave-one-out), and by the mapping computed
without any example of its label: in the second case it acts as a text that belongs to no label. Both
follow in closed form from the mapping that was computed from all examples. The first determines the
inverse temperature τ of the scores; both together determine how near a text must be to the task's
examples to count as belonging to the task. Only ridge regression allows this, and only for texts. Where
logistic regression is mixed with it, τ is fitted to what the mixture predicts for left-out examples; whether
a text belongs to the task is judged by the ridge's scores alone, which know how a task without a label looks.

    calibration = calibrate(solution, support, learned_scale=10.0)
    calibration.probabilities(scores)
    calibration.membership(nearness(features, scores, support))

The measurements behind the constants are in docs/experiments/threshold.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from metamapping.adaptation.algebra.likelihood import fit_scale
from metamapping.adaptation.algebra.nearness import nearness
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Support
from metamapping.models.probabilities import expit, softmax

# Upper limits on what is left out: examples, labels, and scores of all examples (16 MB in float64).
_MAX_ROWS, _MAX_LABELS, _MAX_SCORES = 2_000, 100, 2_000_000
# Prior on nearness, as pseudo-examples: texts of no label have the mean _FAR. Texts of the task lie higher by
# _GAP times the mean of those of no label, and both have _SPREAD times it as their standard deviation: where
# texts are of one kind, such as requests to a bank, all of them are more similar than where they are of many.
_FAR, _GAP, _SPREAD = 0.6, 0.6, 0.5
_FAR_COUNT, _GAP_COUNT = 1, 4
_MIN_GAP = 0.2  # times the mean of those of no label
_MIN_FAR = 0.1


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities.

    Attributes:
        scale: The inverse temperature τ; scores times τ are logits.
        centre: The nearness at which a text belongs to the task with probability one half.
        slope: Slope of the logistic function of nearness; 0 if nothing is known about membership.
        by_mean: Whether nearness counts the mean of a label's examples; it does not in tasks that were saved
            by earlier versions.
    """

    scale: float
    centre: float = 0.0
    slope: float = 0.0
    by_mean: bool = True

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Softmax of the scaled scores.

        Args:
            scores: ``(num_items, num_labels)``.

        Returns:
            Float32 ``(num_items, num_labels)``, rows that sum to 1.
        """
        if not len(scores):
            return scores
        probabilities: np.ndarray = softmax(self.scale * scores)
        return probabilities.astype(np.float32)

    def membership(self, near: np.ndarray) -> np.ndarray:
        """Probability that a text belongs to any label, given that half of all texts do.

        Args:
            near: ``(num_texts,)``, as ``nearness`` returns it.

        Returns:
            ``(num_texts,)``; all ones if nothing is known about membership.
        """
        if not self.slope:
            return np.ones_like(near)
        probability: np.ndarray = expit(self.slope * (near - self.centre))
        return probability


def calibrate(solution: Solution, support: Support, *, learned_scale: float) -> Calibration:
    """Calibrate the mapping of a text task that has at least one example.

    Args:
        solution: The task's mapping, computed by ridge regression.
        support: The examples it was computed from.
        learned_scale: The meta-learned τ, towards which the task's own is shrunk.
    """
    left_out = leave_out(solution, support)
    mixed = solution.left_out
    if mixed is None:
        scale = fit_scale(left_out.scores, left_out.targets, learned_scale)
    else:
        scale = fit_scale(mixed.scores, support.targets[mixed.rows], learned_scale)
    return Calibration(scale, *_fit_boundary(left_out.near_labels, left_out.near_none))


def _fit_boundary(near_labels: np.ndarray, near_none: np.ndarray) -> tuple[float, float]:
    """Centre and slope of the logistic function between two normal distributions of equal variance."""
    far = (near_none.sum() + _FAR_COUNT * _FAR) / (len(near_none) + _FAR_COUNT)
    unit = max(float(far), _MIN_FAR)
    gap = ((near_labels - far).sum() + _GAP_COUNT * _GAP * unit) / (len(near_labels) + _GAP_COUNT)
    gap = max(float(gap), _MIN_GAP * unit)
    squares = ((near_none - far) ** 2).sum() + ((near_labels - far - gap) ** 2).sum()
    count = len(near_none) + len(near_labels)
    variance = (squares + 2 * _GAP_COUNT * (_SPREAD * unit) ** 2) / (count + 2 * _GAP_COUNT)
    return float(far + gap / 2), float(gap / variance)


class LeftOut(NamedTuple):
    """What the mapping says about examples that it was not computed from.

    Attributes:
        scores: ``(num_rows, num_labels)``, each example scored without itself.
        targets: ``(num_rows,)``, their label slots.
        near_labels: Nearness of those examples whose label has other examples, scored without themselves.
        near_none: Nearness of examples that were scored without any example of their label.
        rows: ``(num_rows,)``, positions of the examples.
        none_scores: ``(num_none, num_labels)``, the scores of the examples of ``near_none``; -∞ for
            their own label.
    """

    scores: np.ndarray
    targets: np.ndarray
    near_labels: np.ndarray
    near_none: np.ndarray
    rows: np.ndarray
    none_scores: np.ndarray


def leave_out(solution: Solution, support: Support, *, by_mean: bool = True) -> LeftOut:
    """Score examples by the mapping without them, and by the mapping without their whole label.

    With ``C = (H Hᵀ + λI)⁻¹`` and the residuals ``E = Y − H V``, a ridge regression without the rows B
    leaves the residuals ``(λ C_BB)⁻¹ E_B`` on them. If there are too many examples, an even selection
    over all labels is scored.

    Args:
        solution: The mapping of all examples; its solver is a ridge regression.
        support: The examples that it was computed from.
        by_mean: As for ``nearness``.

    Returns:
        Scores, targets and nearness of the examples that were scored.
    """
    assert solution.ridge is not None
    targets, num_labels = support.targets, solution.weights.shape[1]
    weighted = solution.weighted_features(support.features)
    H = np.concatenate([weighted, np.ones((len(targets), 1), np.float32)], axis=1)
    residual_solver = (_DualResiduals if len(H) <= H.shape[1] else _PrimalResiduals)(H, solution.ridge)
    rows = _select_rows(targets, num_labels)

    Y = (targets[rows, None] == np.arange(num_labels)) - 1.0 / num_labels
    E = Y - solution.solver_scores(support.features[rows])
    scores = Y - E / residual_solver.diagonal(rows)[:, None]
    has_others = np.bincount(targets)[targets[rows]] > 1
    items = rows[has_others]
    near_labels = nearness(support.features[items], scores[has_others], support, items=items, by_mean=by_mean)

    near_none, none_scores = [], []
    # The order is random but fixed, so that the limit on labels does not favour the first ones.
    for label in np.random.default_rng(0).permutation(np.unique(targets[rows]))[:_MAX_LABELS]:
        selected = rows[targets[rows] == label]
        block = np.flatnonzero(targets == label)
        y = (np.arange(num_labels) == label) - 1.0 / num_labels
        residuals = y - solution.solver_scores(support.features[block])
        label_scores = y - residual_solver.without_block(block, residuals, np.searchsorted(block, selected))
        label_scores[:, label] = -np.inf
        near_none.append(nearness(support.features[selected], label_scores, support, by_mean=by_mean))
        none_scores.append(label_scores)
    near_nothing, scores_of_none = np.concatenate(near_none), np.concatenate(none_scores)
    return LeftOut(scores, targets[rows], near_labels, near_nothing, rows, scores_of_none)


def _select_rows(targets: np.ndarray, num_labels: int) -> np.ndarray:
    """Positions of the examples to leave out, in order of their labels: all, or an even selection."""
    count = min(len(targets), _MAX_ROWS, max(_MAX_LABELS, _MAX_SCORES // num_labels))
    by_label = np.argsort(targets, kind="stable")
    rows: np.ndarray = by_label[np.linspace(0, len(targets) - 1, count).astype(int)]
    return rows


class _DualResiduals:
    """``λ C`` as a matrix over items, for fewer items than features."""

    def __init__(self, H: np.ndarray, ridge: float) -> None:
        gram = (H @ H.T).astype(np.float64)
        self._scaled_inverse = ridge * np.linalg.inv(gram + ridge * np.eye(len(H)))

    def diagonal(self, rows: np.ndarray) -> np.ndarray:
        """The diagonal of ``λ C`` at ``rows``."""
        diagonal: np.ndarray = np.diag(self._scaled_inverse)[rows]
        return diagonal

    def without_block(self, block: np.ndarray, residuals: np.ndarray, selected: np.ndarray) -> np.ndarray:
        """The residuals of the items in ``block`` if the regression had none of them.

        ``residuals``: ``(len(block), num_labels)``, those of the whole regression. ``selected``:
        positions within ``block`` whose residuals are returned.
        """
        block_inverse = self._scaled_inverse[np.ix_(block, block)]
        return np.asarray(np.linalg.solve(block_inverse, residuals)[selected])


class _PrimalResiduals:
    """The same from ``G = HᵀH + λI``, for more items than features: ``λ C = I − H G⁻¹ Hᵀ``."""

    def __init__(self, H: np.ndarray, ridge: float) -> None:
        self._H = H
        self._gram = (H.T @ H).astype(np.float64) + ridge * np.eye(H.shape[1])
        self._inverse = np.linalg.inv(self._gram)

    def diagonal(self, rows: np.ndarray) -> np.ndarray:
        H = self._H[rows]
        diagonal: np.ndarray = 1.0 - (H @ self._inverse * H).sum(axis=-1)
        return diagonal

    def without_block(self, block: np.ndarray, residuals: np.ndarray, selected: np.ndarray) -> np.ndarray:
        B = self._H[block]
        if len(B) > B.shape[1]:
            # Large blocks: solve in the space of features, without the block's own part of the Gram matrix.
            block_gram = (B.T @ B).astype(np.float64)
            without: np.ndarray = residuals[selected] + B[selected] @ np.linalg.solve(
                self._gram - block_gram, B.T @ residuals
            )
            return without
        solved = np.linalg.solve(np.eye(len(B)) - B @ self._inverse @ B.T, residuals)
        return np.asarray(solved[selected])
