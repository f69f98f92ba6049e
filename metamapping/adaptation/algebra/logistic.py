"""Multinomial logistic regression of one task, with the scores of the label names as offset.

The logits of an item with features h are ``β p(h) + h V``. With the weights V penalized by ``λ/2 ‖V‖²`` the
problem is convex and has one solution, so that neither the order of the examples nor that of the labels
matters. At the solution ``V = HᵀD`` with the dual weights ``D = (Y − softmax) / λ``: as for ridge regression,
every example has an exact share in every score.

Squared loss pushes the score of a wrong label towards that of every other wrong label. With many labels,
most of the fit is spent on that; the logistic loss ignores labels that are already out of the question.

    basis = Basis.of(H)
    coefficients = fit(basis, targets, offset, ridge=0.1)                       # (rank, 1, C)
    left_out = fit(basis, targets, offset, ridge=0.1, weights=1.0 - folds)      # several fits at once

Notation: ``N`` items, ``C`` labels, ``F`` fits at once, ``H`` the weighted features with a constant 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The Hessian of the loss in one logit is at most 1/4. This average curvature rescales the coordinates so that
# L-BFGS needs about a third of the iterations (25 × 8 examples of intents: 24 instead of 80).
_TYPICAL_CURVATURE = 0.15
_MAX_ITERATIONS = 200


@dataclass(frozen=True)
class Basis:
    """Coordinates of the items in which the penalty is a plain sum of squares.

    Attributes:
        items: ``B``, ``(N, rank)`` with ``B Bᵀ = H Hᵀ``.
        spectrum: ``(rank,)``, the eigenvalues of ``Bᵀ B``, which is diagonal.
    """

    items: np.ndarray
    spectrum: np.ndarray

    @classmethod
    def of(cls, H: np.ndarray) -> Basis:
        """The basis of features ``(N, width)``: its rank is the smaller of both."""
        if len(H) <= H.shape[1]:
            spectrum, vectors = np.linalg.eigh(H @ H.T)
            spectrum = np.maximum(spectrum, 0.0)
            return cls(vectors * np.sqrt(spectrum), spectrum)
        spectrum, vectors = np.linalg.eigh(H.T @ H)
        return cls(H @ vectors, np.maximum(spectrum, 0.0))


def fit(
    basis: Basis,
    targets: np.ndarray,
    offset: np.ndarray,
    *,
    ridge: float,
    weights: np.ndarray | None = None,
    start: np.ndarray | None = None,
    tolerance: float = 1e-8,
) -> np.ndarray:
    """Fit one or several weighted logistic regressions of the same items.

    Args:
        basis: The items.
        targets: Integers ``(N,)``, label slots.
        offset: ``(N, C)``, logits to which the fit is added.
        ridge: λ, positive.
        weights: ``(N, F)``, the weight of each item's loss in each fit. Default: one fit, all weights 1.
        start: ``(rank, F, C)`` or broadcastable to it; where the iterations begin.
        tolerance: The relative decrease of the loss below which L-BFGS stops. In float32 it cannot be reached
            much below 1e-6.

    Returns:
        Coefficients ``(rank, F, C)``; the logits of the items are ``offset + B @ coefficients``.
    """
    from scipy.optimize import minimize

    items, dtype = basis.items, basis.items.dtype
    weights = np.ones((len(items), 1), dtype) if weights is None else weights.astype(dtype)
    shape = (items.shape[1], weights.shape[1], offset.shape[1])
    # In these coordinates the loss curves about equally in all directions.
    scale = (1.0 / np.sqrt(_TYPICAL_CURVATURE * basis.spectrum + ridge)).astype(dtype)[:, None, None]

    def rescaled(flat: np.ndarray) -> tuple[float, np.ndarray]:
        coefficients = scale * flat.reshape(shape).astype(dtype)
        value, gradient = loss(coefficients, items, targets, offset, weights, ridge)
        return value, (scale * gradient).ravel().astype(np.float64)

    first = np.zeros(shape) if start is None else np.broadcast_to(start / scale, shape)
    best = minimize(
        rescaled,
        first.ravel().astype(np.float64),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MAX_ITERATIONS, "ftol": tolerance, "gtol": 1e-6},
    )
    fitted: np.ndarray = scale * best.x.reshape(shape).astype(dtype)
    return fitted


def loss(
    coefficients: np.ndarray,
    items: np.ndarray,
    targets: np.ndarray,
    offset: np.ndarray,
    weights: np.ndarray,
    ridge: float,
) -> tuple[float, np.ndarray]:
    """The penalized negative log likelihood of all fits together, and its gradient.

    Args:
        coefficients: ``(rank, F, C)``.
        items: B, ``(N, rank)``.
        targets: Integers ``(N,)``, label slots.
        offset: ``(N, C)``, logits to which the fit is added.
        weights: ``(N, F)``, the weight of each item's loss in each fit.
        ridge: λ.

    Returns:
        The loss, and its gradient ``(rank, F, C)``.
    """
    shape, rows = coefficients.shape, np.arange(len(items))
    fitted = (items @ coefficients.reshape(shape[0], -1)).reshape(-1, *shape[1:])
    # One large array is reused for the logits, the probabilities and the slope.
    slope = offset[:, None, :] + fitted
    slope -= slope.max(axis=-1, keepdims=True)
    own = slope[rows, :, targets]
    np.exp(slope, out=slope)
    sums = slope.sum(axis=-1, keepdims=True)
    slope /= sums
    value = (weights * (np.log(sums[..., 0]) - own)).sum(dtype=np.float64)
    value += 0.5 * ridge * (coefficients**2).sum(dtype=np.float64)
    slope[rows, :, targets] -= 1.0
    slope *= weights[:, :, None]
    gradient = (items.T @ slope.reshape(len(items), -1)).reshape(shape) + ridge * coefficients
    return float(value), gradient
