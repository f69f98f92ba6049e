"""Gradient: a few inner steps on the mapping alone, from the prior; the encoder is not touched.

Finn, Abbeel, Levine, "Model-Agnostic Meta-Learning", 2017, on the last layer. The outer gradient goes
through the steps (second order).
"""

from __future__ import annotations

import tensorflow as tf

from metamapping.models.solvers.support_set import Strengths, SupportSet, masked_logits, score
from metamapping.models.solvers.views import over_views

NUM_STEPS = 5


@over_views
def gradient(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """``V ← V + η Hᵀ (one-hot − softmax(τ H V))`` over the support, from P; ``(..., d + 1, C)``.

    ``η = 2 / (λ + τ Σᵢ ‖hᵢ‖² / 2)``: the loss's curvature is at most ``τ Σᵢ ‖hᵢ‖² / 2``, so the steps
    cannot overshoot.
    """
    mask = support.mask[..., None]
    one_hot = tf.one_hot(support.targets, prior.shape[-1], dtype=prior.dtype)
    H, weights = support.H, prior
    squares = tf.reduce_sum(mask * H**2, axis=(-2, -1), keepdims=True)
    rate = 2.0 / (strengths.ridge + strengths.scale * squares / 2.0)
    for _ in range(NUM_STEPS):
        logits = masked_logits(score(support.features, weights), support.label_mask, strengths.scale)
        residual = mask * (one_hot - tf.nn.softmax(logits, axis=-1))
        weights += rate * tf.matmul(H, residual, transpose_a=True)
    return weights
