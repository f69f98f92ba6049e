"""Solution: a task's mapping as plain arrays, however it was computed.

scores = solution.scores(features)
share = solution.dual_weights(support, label)         # of each example in the label's score
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metamapping.adaptation.support import Support


@dataclass(frozen=True)
class Solution:
    """A task's mapping as weights of scores: a text with features x has the scores ``[x, 1] V``.

    Attributes:
        weights: V, float32 ``(width + 1, num_labels)``, with the views side by side.
        prior: The part of V that comes from the label names alone, ``α P``; the same shape.
        ridge: λ; ``None`` if the solver is not a ridge regression.
        views: The kernel weights of a text's views after the first. Empty for words, whose features
            already contain the weights of their views.
    """

    weights: np.ndarray
    prior: np.ndarray
    ridge: float | None
    views: tuple[float, ...] = ()

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Compute the scores of items.

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
        """The dual weights ``(Y − H V) / λ`` of one label.

        An item's score for the label is its prior score plus ``Σᵢ (kernel(x, xᵢ) + 1) dualᵢ``.

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
        targets = (support.targets == label) - 1.0 / self.weights.shape[1]
        scores = support.features @ self.weights[:-1, label] + self.weights[-1, label]
        dual: np.ndarray = ((targets - scores) / self.ridge).astype(np.float32)
        return dual


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
