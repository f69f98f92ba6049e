"""Calibration: what a task's scores are worth as probabilities, judged by its own examples.

Each example is scored as if it had not been there (leave-one-out), and as if its whole label had not
been there: then it is a text that belongs to no label. Both follow from the solution in closed form.
From the first comes the scale of the scores, from both how near a text must be to belong to the task.
The figures behind it: docs/decisions/threshold.md.

    calibration = calibrate(solution, support, learned_scale=10.0)
    calibration.probabilities(scores)
    calibration.membership(nearness(features, scores, support))
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

from metamapping.adaptation.closed_form import Solution
from metamapping.adaptation.support import Support

# Enough to judge by: rows, labels that are left out, and scores of all rows (in 64 bits, 16 MB).
_MAX_ROWS, _MAX_LABELS, _MAX_SCORES = 2_000, 100, 2_000_000
_EXAMPLES_AT_ONCE = 4_096
# How much log τ may part from the learned one before it has cost as much as half a unit of likelihood.
_SCALE_SPREAD = 0.5
# What nearness is before any example has been seen, in examples of either kind that it counts for:
# texts of no label are _FAR near, others _GAP nearer, both ± _SPREAD. Of MiniLM on intents.
_FAR, _GAP, _SPREAD = 0.45, 0.45, 0.22
_FAR_COUNT, _GAP_COUNT = 2, 4
_LEAST_GAP = 0.1


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities.

    ``scale``: τ, which makes scores logits. A text as near as ``centre`` belongs to the task as
    likely as not, and ``slope`` says how fast that changes; 0 where nothing is known about it.
    """

    scale: float
    centre: float = 0.0
    slope: float = 0.0

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Float32 ``(num_items, num_labels)``, rows that sum to 1."""
        if not len(scores):
            return scores
        probabilities: np.ndarray = softmax(self.scale * scores, axis=-1)
        return probabilities.astype(np.float32)

    def membership(self, near: np.ndarray) -> np.ndarray:
        """Probability that texts of that nearness belong to any label, where half of all do."""
        if not self.slope:
            return np.ones_like(near)
        probability: np.ndarray = expit(self.slope * (near - self.centre))
        return probability


def nearness(
    features: np.ndarray, scores: np.ndarray, support: Support, *, items: np.ndarray | None = None
) -> np.ndarray:
    """How near texts are to the label that they are given: float ``(num_texts,)``.

    The label's score + the cosine of the most alike of its examples. ``items``: the texts' own numbers
    where they are examples themselves; none is compared with itself.
    """
    best = scores.argmax(axis=-1)
    near: np.ndarray = scores[np.arange(len(scores)), best]
    features, alike = support.main(features), support.main(support.features)
    for label in np.unique(best):
        examples = np.flatnonzero(support.targets == label)
        if len(examples):
            texts = np.flatnonzero(best == label)
            near[texts] += _most_alike(
                features[texts], examples, alike, None if items is None else items[texts]
            )
    return near


def _most_alike(
    features: np.ndarray, examples: np.ndarray, alike: np.ndarray, items: np.ndarray | None
) -> np.ndarray:
    """The cosine of the most alike of ``examples`` for each text, some thousands of them at a time."""
    most = np.full(len(features), -np.inf, np.float32)
    for first in range(0, len(examples), _EXAMPLES_AT_ONCE):
        some = examples[first : first + _EXAMPLES_AT_ONCE]
        cosine = features @ alike[some].T
        if items is not None:
            cosine[items[:, None] == some] = -np.inf
        most = np.maximum(most, cosine.max(axis=-1))
    return most


def calibrate(solution: Solution, support: Support, *, learned_scale: float) -> Calibration:
    """The calibration of a task of texts with at least one example."""
    scores, targets, near_labels, near_none = leave_out(solution, support)
    return Calibration(_scale(scores, targets, learned_scale), *_boundary(near_labels, near_none))


def _scale(scores: np.ndarray, targets: np.ndarray, learned_scale: float) -> float:
    """The τ of most likelihood, held back towards the learned one."""

    def loss(change: float) -> float:
        logs = log_softmax(learned_scale * np.exp(change) * scores, axis=-1)
        return float(-logs[np.arange(len(targets)), targets].sum() + change**2 / (2 * _SCALE_SPREAD**2))

    best = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded", options={"xatol": 1e-3})
    return learned_scale * float(np.exp(best.x))


def _boundary(near_labels: np.ndarray, near_none: np.ndarray) -> tuple[float, float]:
    """Centre and slope between two normal distributions of one width."""
    far = (near_none.sum() + _FAR_COUNT * _FAR) / (len(near_none) + _FAR_COUNT)
    gap = ((near_labels - far).sum() + _GAP_COUNT * _GAP) / (len(near_labels) + _GAP_COUNT)
    gap = max(float(gap), _LEAST_GAP)
    squares = ((near_none - far) ** 2).sum() + ((near_labels - far - gap) ** 2).sum()
    count = len(near_none) + len(near_labels)
    variance = (squares + 2 * _GAP_COUNT * _SPREAD**2) / (count + 2 * _GAP_COUNT)
    return float(far + gap / 2), float(gap / variance)


def leave_out(solution: Solution, support: Support) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Leave-one-out scores and their labels; nearness with the own label there, and without it.

    With ``C = (H Hᵀ + λI)⁻¹`` and residuals ``E = Y − H V``, a ridge regression without the rows B leaves
    them the residuals ``(λ C_BB)⁻¹ E_B``. Of many examples some are taken, of each label alike.
    """
    assert solution.ridge is not None
    targets, num_labels = support.targets, solution.weights.shape[1]
    weighted = solution.weighted(support.features)
    H = np.concatenate([weighted, np.ones((len(targets), 1), np.float32)], axis=1)
    left = (_Dual if len(H) <= H.shape[1] else _Primal)(H, solution.ridge)
    count = min(len(targets), _MAX_ROWS, max(_MAX_LABELS, _MAX_SCORES // num_labels))
    by_label = np.argsort(targets, kind="stable")
    rows = by_label[np.linspace(0, len(targets) - 1, count).astype(int)]

    Y = (targets[rows, None] == np.arange(num_labels)) - 1.0 / num_labels
    E = Y - solution.scores(support.features[rows])
    scores = Y - E / left.alone(rows)[:, None]
    is_one_of_many = np.bincount(targets)[targets[rows]] > 1
    many = rows[is_one_of_many]
    near_labels = nearness(support.features[many], scores[is_one_of_many], support, items=many)

    near_none = []
    for label in np.random.default_rng(0).permutation(np.unique(targets[rows]))[:_MAX_LABELS]:
        mine = rows[targets[rows] == label]
        block = np.flatnonzero(targets == label)
        y = (np.arange(num_labels) == label) - 1.0 / num_labels
        residuals = y - solution.scores(support.features[block])
        without = y - left.together(block, residuals, np.searchsorted(block, mine))
        without[:, label] = -np.inf
        near_none.append(nearness(support.features[mine], without, support))
    return scores, targets[rows], near_labels, np.concatenate(near_none)


class _Dual:
    """``λ C`` of all items, where they are fewer than features."""

    def __init__(self, H: np.ndarray, ridge: float) -> None:
        gram = (H @ H.T).astype(np.float64)
        self._inverse = ridge * np.linalg.inv(gram + ridge * np.eye(len(H)))

    def alone(self, rows: np.ndarray) -> np.ndarray:
        """Its diagonal at ``rows``."""
        diagonal: np.ndarray = np.diag(self._inverse)[rows]
        return diagonal

    def together(self, block: np.ndarray, residuals: np.ndarray, some: np.ndarray) -> np.ndarray:
        """What residuals ``(|B|, C)`` the block's rows have without the block; ``some`` of them."""
        left = np.linalg.solve(self._inverse[np.ix_(block, block)], residuals)
        return np.asarray(left[some])


class _Primal:
    """The same from ``G = HᵀH + λI``, where items are more: ``λ C = I − H G⁻¹ Hᵀ``."""

    def __init__(self, H: np.ndarray, ridge: float) -> None:
        self._H = H
        self._gram = (H.T @ H).astype(np.float64) + ridge * np.eye(H.shape[1])
        self._inverse = np.linalg.inv(self._gram)

    def alone(self, rows: np.ndarray) -> np.ndarray:
        H = self._H[rows]
        diagonal: np.ndarray = 1.0 - (H @ self._inverse * H).sum(axis=-1)
        return diagonal

    def together(self, block: np.ndarray, residuals: np.ndarray, some: np.ndarray) -> np.ndarray:
        B = self._H[block]
        if len(B) > B.shape[1]:
            own = (B.T @ B).astype(np.float64)
            far: np.ndarray = residuals[some] + B[some] @ np.linalg.solve(self._gram - own, B.T @ residuals)
            return far
        left = np.linalg.solve(np.eye(len(B)) - B @ self._inverse @ B.T, residuals)
        return np.asarray(left[some])
