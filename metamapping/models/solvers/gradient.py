"""Gradient: a few inner gradient steps on the mapping alone, from the prior; the encoder stays unchanged.

Finn, Abbeel, Levine, "Model-Agnostic Meta-Learning", 2017, applied to the last layer. The outer gradient
flows through the inner steps (second order).

    weights = gradient(support, prior, hyperparameters)
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.solvers.hyperparameters import Hyperparameters
from metamapping.models.solvers.solver_constants import NUM_STEPS
from metamapping.models.solvers.support_set import SupportSet, masked_logits, score
from metamapping.models.solvers.views import with_weighted_views


@with_weighted_views
def gradient(support: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
    """``NUM_STEPS`` steps ``V ← V + η Hᵀ (one-hot − softmax(τ H V))`` over the support set, from P.

    The step size is ``η = 2 / (λ + τ Σᵢ ‖hᵢ‖² / 2)``: the loss's curvature is at most ``τ Σᵢ ‖hᵢ‖² / 2``,
    so the steps cannot overshoot.

    Args:
        support: The items of each task.
        prior: P, ``(..., d + 1, C)``.
        hyperparameters: ``ridge`` and ``inverse_temperature`` are used.

    Returns:
        V, ``(..., d + 1, C)``.
    """
    mask = support.mask[..., None]
    one_hot = tf.one_hot(support.targets, prior.shape[-1], dtype=prior.dtype)
    H, weights, tau = support.H, prior, hyperparameters.inverse_temperature
    squares = tf.reduce_sum(mask * H**2, axis=(-2, -1), keepdims=True)
    step_size = 2.0 / (hyperparameters.ridge + tau * squares / 2.0)
    for _ in range(NUM_STEPS):
        logits = masked_logits(score(support.features, weights), support.label_mask, tau)
        residual = mask * (one_hot - tf.nn.softmax(logits, axis=-1))
        weights += step_size * tf.matmul(H, residual, transpose_a=True)
    return weights
