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
from scipy.optimize import minimize

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
    max_iterations: int = _MAX_ITERATIONS,
) -> np.ndarray:
    """Fit one or several weighted logistic regressions of the same items.

    Args:
        basis: The items.
        targets: Integers ``(N,)``, label slots.
        offset: ``(N, C)``, logits to which the fit is added.
        ridge: λ, positive.
        weights: ``(N, F)``, the weight of each item's loss in each fit. Default: one fit, all weights 1.
        start: ``(rank, F, C)`` or broadcastable to it; where the iterations begin.
        max_iterations: Of L-BFGS.

    Returns:
        Coefficients ``(rank, F, C)``; the logits of the items are ``offset + B @ coefficients``.
    """
    items, dtype = basis.items, basis.items.dtype
    weights = np.ones((len(items), 1), dtype) if weights is None else weights.astype(dtype)
    shape = (items.shape[1], weights.shape[1], offset.shape[1])
    scale = (1.0 / np.sqrt(_TYPICAL_CURVATURE * basis.spectrum + ridge)).astype(dtype)[:, None, None]
    rows, label_weights = np.arange(len(items)), weights[:, :, None]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        a = scale * flat.reshape(shape).astype(dtype)
        logits = offset[:, None, :] + (items @ a.reshape(len(a), -1)).reshape(-1, *shape[1:])
        logits -= logits.max(axis=-1, keepdims=True)
        own = logits[rows, :, targets]
        slope = np.exp(logits, out=logits)
        sums = slope.sum(axis=-1, keepdims=True)
        slope /= sums
        value = (weights * (np.log(sums[..., 0]) - own)).sum(dtype=np.float64)
        value += 0.5 * ridge * (a**2).sum(dtype=np.float64)
        slope[rows, :, targets] -= 1.0
        slope *= label_weights
        gradient = (items.T @ slope.reshape(len(items), -1)).reshape(shape) + ridge * a
        return value, (scale * gradient).ravel().astype(np.float64)

    first = np.zeros(shape) if start is None else np.broadcast_to(start / scale, shape)
    options = {"maxiter": max_iterations, "ftol": 1e-10, "gtol": 1e-5}
    best = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options=options)
    return scale * best.x.reshape(shape).astype(dtype)
