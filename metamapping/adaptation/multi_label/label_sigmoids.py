"""Sigmoids from the scores of labels to their probabilities, where a text has any number of labels.

What few examples say about a label is shrunk towards what all labels together say: one sigmoid is fitted to
the left-out scores of all labels, and then one for each label around it.

    slopes, offsets, log_likelihoods = fit_shared(scores[None], targets, inverse_temperature=10.0)
    slopes, offsets = fit_own(scores, targets, slopes[0], offsets[0])

Notation: ``N`` texts, ``C`` labels.
"""

from __future__ import annotations

import numpy as np

from metamapping.models.probabilities import expit

# The sigmoid that all labels share: standard deviations of its slope, as a multiple of τ, and of its offset.
_SLOPE_SPREAD, _OFFSET_SPREAD = 1.0, 5.0
# A label's own sigmoid around the shared one: of its slope as a multiple of the shared one, and its offset.
_OWN_SLOPE_SPREAD, _OWN_OFFSET_SPREAD = 0.2, 0.5
_FIT_ITERATIONS = 20


def shared_log_likelihoods(
    scores: np.ndarray, targets: np.ndarray, *, inverse_temperature: float
) -> np.ndarray:
    """The log probability of all labels of each text, by the one sigmoid that suits all labels best.

    Args:
        scores: ``(N, C)``, of texts that the scores were not computed from.
        targets: ``(N, C)``, ones and zeros.
        inverse_temperature: The meta-learned τ, around which the slope lies.

    Returns:
        ``(N,)``.
    """
    scores, targets = scores.astype(np.float64), targets.astype(np.float64)
    (slope,), (offset,), _ = fit_shared(scores[None], targets, inverse_temperature)
    z = slope * scores + offset
    log_p: np.ndarray = (targets * z - np.logaddexp(0.0, z)).sum(axis=1)
    return log_p


def fit_shared(
    scores: np.ndarray,
    targets: np.ndarray,
    inverse_temperature: float,
    *,
    num_iterations: int = _FIT_ITERATIONS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One sigmoid for all labels, in each of ``G`` settings.

    Args:
        scores: ``(G, N, C)``, of texts that the scores were not computed from.
        targets: ``(N, C)``, ones and zeros.
        inverse_temperature: The meta-learned τ, around which the slopes lie.
        num_iterations: Newton steps.

    Returns:
        Slopes, offsets and log likelihoods, ``(G,)`` each.
    """
    s, y = scores.reshape(len(scores), -1), targets.reshape(1, -1)
    mean = (y.sum() + 1.0) / (y.size + 2.0)
    centre = (inverse_temperature, float(np.log(mean / (1.0 - mean))))
    precisions = (1.0 / (_SLOPE_SPREAD * inverse_temperature) ** 2, 1.0 / _OFFSET_SPREAD**2)
    slope, offset = _fit_sigmoids(s, y, centre, precisions, num_iterations)
    z = slope[:, None] * s + offset[:, None]
    return slope, offset, (y * z - np.logaddexp(0.0, z)).sum(axis=1)


def fit_own(
    scores: np.ndarray, targets: np.ndarray, slope: float, offset: float
) -> tuple[np.ndarray, np.ndarray]:
    """The slope and the offset of each label, shrunk towards the shared ones.

    Args:
        scores: ``(N, C)``, of texts that the scores were not computed from.
        targets: ``(N, C)``, ones and zeros.
        slope: The shared slope.
        offset: The shared offset.

    Returns:
        Slopes and offsets, ``(C,)`` each.
    """
    precisions = (1.0 / (_OWN_SLOPE_SPREAD * slope) ** 2, 1.0 / _OWN_OFFSET_SPREAD**2)
    return _fit_sigmoids(scores.T, targets.T, (slope, offset), precisions, _FIT_ITERATIONS)


def _fit_sigmoids(
    s: np.ndarray,
    y: np.ndarray,
    centre: tuple[float, float],
    precisions: tuple[float, float],
    num_iterations: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The slopes and offsets of the highest posterior probability in ``B`` problems: ``(B,)`` each.

    ``s``: ``(B, M)``; ``y``: the same shape or ``(1, M)``. A Newton step that does not climb is replaced by
    that of Jaakkola and Jordan's bound, which always does.
    """
    slope, offset = np.full(len(s), centre[0]), np.full(len(s), centre[1])

    def log_posterior(slope: np.ndarray, offset: np.ndarray) -> np.ndarray:
        z = slope[:, None] * s + offset[:, None]
        distance = precisions[0] * (slope - centre[0]) ** 2 + precisions[1] * (offset - centre[1]) ** 2
        value: np.ndarray = (y * z - np.logaddexp(0.0, z)).sum(axis=1) - 0.5 * distance
        return value

    value = log_posterior(slope, offset)
    for _ in range(num_iterations):
        z = slope[:, None] * s + offset[:, None]
        p = expit(z)
        residual = y - p
        g1 = (residual * s).sum(axis=1) - precisions[0] * (slope - centre[0])
        g2 = residual.sum(axis=1) - precisions[1] * (offset - centre[1])
        newton = _step(s, p * (1.0 - p), g1, g2, precisions)
        is_climbing = log_posterior(slope + newton[0], offset + newton[1]) >= value
        if not is_climbing.all():
            safe = _step(s, _curvature(z), g1, g2, precisions)
            newton = np.where(is_climbing, newton, safe)
        slope, offset = slope + newton[0], offset + newton[1]
        value = log_posterior(slope, offset)
    return slope, offset


def _step(
    s: np.ndarray, weight: np.ndarray, g1: np.ndarray, g2: np.ndarray, precisions: tuple[float, float]
) -> np.ndarray:
    """The steps of slope and offset, ``(2, B)``, for the curvatures ``weight``, ``(B, M)``."""
    h11 = (weight * s * s).sum(axis=1) + precisions[0]
    h12, h22 = (weight * s).sum(axis=1), weight.sum(axis=1) + precisions[1]
    steps: np.ndarray = np.stack([h22 * g1 - h12 * g2, h11 * g2 - h12 * g1]) / (h11 * h22 - h12**2)
    return steps


def _curvature(z: np.ndarray) -> np.ndarray:
    """``tanh(z / 2) / (2 z)``: the curvature of a parabola that bounds the logistic loss at z."""
    near_zero = np.abs(z) < 1e-6
    safe = np.where(near_zero, 1.0, z)
    curvature: np.ndarray = np.where(near_zero, 0.25, np.tanh(0.5 * safe) / (2.0 * safe))
    return curvature
