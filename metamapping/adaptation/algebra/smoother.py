"""Smoothers: ``A = K (K + λI)⁻¹`` of a kernel K, and what it predicts for items that it leaves out.

A ridge regression is linear in its targets, ``fit = A R``; without the rows B its residuals on them are
``(I − A_BB)⁻¹ (R_B − fit_B)`` (Allen 1974; Cook 1977).

    left_out = smoother_of(H, ridge=1.0).left_out(targets, blocks=None)      # K = H Hᵀ
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

# Items whose leverages are computed at once, which bounds the memory.
_ITEMS_PER_CHUNK = 8_192


class Smoother(ABC):
    """A ridge regression as a function of its targets.

    Attributes:
        leverage: The diagonal of A, ``(num_items,)``.
    """

    leverage: np.ndarray

    def left_out(self, right: np.ndarray, blocks: Sequence[np.ndarray] | None) -> np.ndarray:
        """What the regression of all other items predicts for each item.

        Args:
            right: R, the targets, ``(num_items, num_labels)``.
            blocks: The items that are left out together; ``None`` if each is left out alone.

        Returns:
            ``(num_items, num_labels)``.
        """
        fitted, leverage = self.fit(right), self.leverage[:, None]
        left_out: np.ndarray = (fitted - leverage * right) / (1.0 - leverage)
        for block in blocks or ():
            if len(block) > 1:
                left_out[block] = right[block] - self.without_block(block, (right - fitted)[block])
        return left_out

    @abstractmethod
    def fit(self, right: np.ndarray) -> np.ndarray:
        """``A right``: ``(num_items, num_labels)``."""

    @abstractmethod
    def without_block(self, block: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        """The residuals of the items in ``block`` by the regression without them.

        ``residuals``: ``(len(block), num_labels)``, those of the whole regression.
        """


def smoother_of(H: np.ndarray, ridge: float) -> Smoother:
    """The smoother of features, as a matrix only if there are few items.

    Args:
        H: ``(num_items, width)``; the kernel is ``H Hᵀ``.
        ridge: λ.
    """
    if len(H) <= H.shape[1]:
        return KernelSmoother((H @ H.T).astype(np.float64), ridge)
    return _FeatureSmoother(H, ridge)


class KernelSmoother(Smoother):
    """The smoother of a kernel.

    Args:
        kernel: K, ``(num_items, num_items)``.
        ridge: λ.
    """

    def __init__(self, kernel: np.ndarray, ridge: float) -> None:
        identity = np.eye(len(kernel))
        self._matrix = identity - ridge * np.linalg.inv(kernel + ridge * identity)
        self.leverage = np.diag(self._matrix)

    def fit(self, right: np.ndarray) -> np.ndarray:
        """``A right``: ``(num_items, num_labels)``."""
        return np.asarray(self._matrix @ right)

    def without_block(self, block: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        """As for ``Smoother``."""
        return np.linalg.solve(np.eye(len(block)) - self._matrix[np.ix_(block, block)], residuals)


class _FeatureSmoother(Smoother):
    """The smoother of fewer features than items."""

    def __init__(self, H: np.ndarray, ridge: float) -> None:
        self._H = H
        self._shifted = (H.T @ H).astype(np.float64) + ridge * np.eye(H.shape[1])
        self._inverse = np.linalg.inv(self._shifted)
        chunks = (H[first : first + _ITEMS_PER_CHUNK] for first in range(0, len(H), _ITEMS_PER_CHUNK))
        self.leverage = np.concatenate([(x @ self._inverse * x).sum(axis=-1) for x in chunks])

    def fit(self, right: np.ndarray) -> np.ndarray:
        return np.asarray(self._H @ (self._inverse @ (self._H.T @ right)))

    def without_block(self, block: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        B = self._H[block]
        if len(B) > B.shape[1]:
            # Large blocks: solve in the space of features, without the block's own part of the Gram matrix.
            shifted = self._shifted - (B.T @ B).astype(np.float64)
            return np.asarray(residuals + B @ np.linalg.solve(shifted, B.T @ residuals))
        return np.linalg.solve(np.eye(len(B)) - B @ self._inverse @ B.T, residuals)
