"""Solution: a task's mapping as plain arrays, however it was computed.

scores = solution.scores(features)
share = solution.dual_weights(support, label)         # of each example in the label's score
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from metamapping.adaptation.algebra.support import Support
from metamapping.models.probabilities import softmax


@dataclass(frozen=True)
class LogisticPart:
    """What logistic regression contributes to a mapping, and its weight relative to ridge regression.

    Attributes:
        weights: Float32 ``(width + 1, num_labels)``: a text with features x has the logits ``[x, 1] V``.
        ridge: λ of the logistic regression.
        share: What its logits count for in the mapping's logits.
        ridge_share: What the ridge's logits, τ times its scores, count for.
        inverse_temperature: τ.
    """

    weights: np.ndarray
    ridge: float
    share: float
    ridge_share: float
    inverse_temperature: float


@dataclass(frozen=True)
class LeftOutScores:
    """Scores of examples by mappings without them, and without one example of each other label.

    Attributes:
        rows: Int ``(num_rows,)``, positions of the examples.
        scores: ``(num_rows, num_labels)``.
    """

    rows: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Solution:
    """A task's mapping as weights of scores: a text with features x has the scores ``[x, 1] V``.

    Attributes:
        weights: V of the encoder's solver, float32 ``(width + 1, num_labels)``, the views side by side. The
            mapping itself is ``scoring_weights``.
        prior: The part of ``weights`` that comes from the label names alone, ``α P``; the same shape.
        ridge: λ; ``None`` if the solver is not a ridge regression.
        views: The kernel weights of a text's views after the first. Empty for words, whose features
            already contain the weights of their views.
        logistic: Logistic regression that is mixed with the ridge regression; ``None`` if there is none.
        left_out: What the mixture predicts for left-out examples; ``None`` if unknown, as for saved tasks.
    """

    weights: np.ndarray
    prior: np.ndarray
    ridge: float | None
    views: tuple[float, ...] = ()
    logistic: LogisticPart | None = None
    left_out: LeftOutScores | None = None

    @cached_property
    def scoring_weights(self) -> np.ndarray:
        """V of the mapping, float32 ``(width + 1, num_labels)``: that of the solver, or of the mixture."""
        if self.logistic is None:
            return self.weights
        share = np.float32(self.logistic.share / self.logistic.inverse_temperature)
        mixed: np.ndarray = self.logistic.ridge_share * self.weights + share * self.logistic.weights
        return mixed.astype(np.float32)

    @cached_property
    def scoring_prior(self) -> np.ndarray:
        """The part of ``scoring_weights`` that comes from the label names alone; the same shape."""
        if self.logistic is None:
            return self.prior
        # The offset of the logistic regression is τ times the prior of the ridge regression.
        mixed: np.ndarray = np.float32(self.logistic.ridge_share + self.logistic.share) * self.prior
        return mixed

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Compute the scores of items.

        Args:
            features: Float32 ``(num_items, width)``, all views side by side.

        Returns:
            Float32 ``(num_items, num_labels)``.
        """
        scores: np.ndarray = features @ self.scoring_weights[:-1] + self.scoring_weights[-1]
        return scores

    def solver_scores(self, features: np.ndarray) -> np.ndarray:
        """Compute the scores of items by the encoder's solver alone, without logistic regression.

        Args:
            features: Float32 ``(num_items, width)``, all views side by side.

        Returns:
            Float32 ``(num_items, num_labels)``.
        """
        scores: np.ndarray = features @ self.weights[:-1] + self.weights[-1]
        return scores

    def weighted_features(self, features: np.ndarray) -> np.ndarray:
        """Features whose inner products are the kernel: each view times the root of its weight.

        Args:
            features: Float32 ``(num_items, width)``.

        Returns:
            Float32 ``(num_items, width)``.
        """
        weighted: np.ndarray = features * view_roots(self.views, features.shape[-1])
        return weighted

    def dual_weights(self, support: Support, label: int) -> np.ndarray:
        """The dual weights of one label.

        An item's score for the label is that of ``scoring_prior`` plus ``Σᵢ (kernel(x, xᵢ) + 1) dualᵢ``. A
        ridge regression has ``(Y − H V) / λ``, a logistic regression ``(Y − softmax) / λ``.

        Args:
            support: The examples that the mapping was computed from.
            label: The label's slot.

        Returns:
            Float32 ``(num_items,)``.

        Raises:
            ValueError: The solver is not a ridge regression.
        """
        if self.ridge is None:
            raise ValueError("examples can only be weighed with the solvers `ridge` and `plain-ridge`")
        is_label = support.targets == label
        scores = support.features @ self.weights[:-1, label] + self.weights[-1, label]
        dual = (is_label - 1.0 / self.weights.shape[1] - scores) / self.ridge
        part = self.logistic
        if part is not None:
            logits = support.features @ part.weights[:-1] + part.weights[-1]
            residuals = is_label - softmax(logits)[:, label]
            dual = part.ridge_share * dual + part.share / part.inverse_temperature * residuals / part.ridge
        weights: np.ndarray = dual.astype(np.float32)
        return weights


def view_roots(views: tuple[float, ...], width: int) -> np.ndarray:
    """The square root of each feature's weight in the kernel.

    Args:
        views: The kernel weights of the views after the first.
        width: Width of all views side by side.

    Returns:
        Float32 ``(width,)``.
    """
    roots = np.sqrt(np.asarray([1.0, *views], np.float32))
    return np.repeat(roots, width // len(roots))
