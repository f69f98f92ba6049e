"""Probabilities from logits, in NumPy.

They are those of ``scipy.special``, whose import alone takes longer than loading an encoder and predicting.

    log_softmax(np.array([[1.0, 2.0]]))         # array([[-1.3133, -0.3133]])
"""

from __future__ import annotations

import numpy as np


def expit(logits: np.ndarray | float) -> np.ndarray:
    """The logistic function ``1 / (1 + exp(-x))``, without overflow.

    Args:
        logits: Float, any shape.

    Returns:
        As ``logits``, between 0 and 1.
    """
    probabilities: np.ndarray = np.exp(-np.logaddexp(np.zeros_like(logits), np.negative(logits)))
    return probabilities


def logsumexp(logits: np.ndarray, axis: int | None = None) -> np.ndarray:
    """The logarithm of the sum of exponentials; minus infinity where all logits are.

    Args:
        logits: Float, any shape.
        axis: The axis that is summed over. Default: all.

    Returns:
        ``logits`` without that axis.
    """
    highest = logits.max(axis=axis, keepdims=True)
    finite = np.where(np.isfinite(highest), highest, 0.0).astype(highest.dtype)
    with np.errstate(divide="ignore"):
        logs = np.log(np.exp(logits - finite).sum(axis=axis))
    total: np.ndarray = logs + (finite.squeeze(axis) if axis is not None else finite.item())
    return total


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log probabilities of labels.

    Args:
        logits: ``(..., C)``.

    Returns:
        ``(..., C)``, whose exponentials sum to 1 over the last axis.
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_p


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of labels.

    Args:
        logits: ``(..., C)``.

    Returns:
        ``(..., C)``, which sum to 1 over the last axis.
    """
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: np.ndarray = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
