"""Likelihood: what logits say about labels, and the inverse temperature that suits them."""

from __future__ import annotations

import numpy as np

# Standard deviation of the Gaussian prior on the logarithm of a scale.
_LOG_SCALE_SPREAD = 0.5


def log_likelihood(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The log probability of each item's label.

    Args:
        logits: ``(..., N, C)``.
        targets: Label slots, integers ``(N,)``.

    Returns:
        ``(..., N)``.
    """
    highest = logits.max(axis=-1)
    sums = np.exp(logits - highest[..., None]).sum(axis=-1)
    own = logits[..., np.arange(len(targets)), targets]
    log_p: np.ndarray = own - highest - np.log(sums)
    return log_p


def fit_scale(scores: np.ndarray, targets: np.ndarray, learned: float) -> float:
    """The inverse temperature of the highest posterior probability, with a log-normal prior.

    Args:
        scores: ``(N, C)``, of items that the scores were not computed from.
        targets: Label slots, integers ``(N,)``.
        learned: The inverse temperature around which the prior lies.

    Returns:
        The factor by which scores become logits.
    """
    from scipy.optimize import minimize_scalar  # predicting does without SciPy, which takes long to import

    def loss(log_factor: float) -> float:
        logits = learned * np.exp(log_factor) * scores
        return float(-log_likelihood(logits, targets).sum() + log_factor**2 / (2 * _LOG_SCALE_SPREAD**2))

    best = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded", options={"xatol": 1e-3})
    return learned * float(np.exp(best.x))
