"""Ridge, fitted to the task: how much the prior counts, and λ, from the support set alone.

A label's name may mislead, and examples may be noisy; which it is shows in how well the examples are
predicted from one another. For each α and λ of a small grid the leave-one-out predictions of a ridge
regression are known in closed form: the residual over one minus the leverage. The task's α and λ are
the grid's mean, weighted by the likelihood of those predictions and by how near α and λ are to the
learned ones, so that few examples change little.

Leave-one-out residuals: Allen, "The relationship between variable selection and data augmentation and
a method for prediction" (PRESS), Technometrics 1974.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import tensorflow as tf

from metamapping.models.solvers.plain_ridge import plain_ridge, solve_shifted
from metamapping.models.solvers.support_set import Strengths, SupportSet, masked_logits

# The grid: multiples of the learned λ (R of them), and the prior from not at all to twice (A).
RIDGE_FACTORS = (1 / 9, 1 / 3, 1.0, 3.0, 9.0)
ALPHAS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)


def ridge(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """Plain ridge with the α and λ that fit the task: ``(..., d + 1, C)``."""
    if not support.is_independent:  # leaving one word out leaves its sentence in
        return plain_ridge(support, prior, strengths)
    return plain_ridge(support, prior, fit_strengths(support, prior, strengths))


def fit_strengths(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> Strengths:
    """α and λ of each task, ``(..., 1, 1)``: the mean over the grid, of λ the geometric one.

    The learned ones where no label has two examples, and nothing tells how well they are predicted.
    """
    mixture = _mixture(support, _duals(support, prior, strengths), strengths)
    alphas = tf.constant(ALPHAS, mixture.dtype)
    logarithms = tf.constant([[math.log(factor)] for factor in RIDGE_FACTORS], mixture.dtype)
    alpha = tf.reduce_sum(mixture * alphas, axis=(-2, -1))[..., None, None]
    factor = tf.exp(tf.reduce_sum(mixture * logarithms, axis=(-2, -1)))[..., None, None]
    is_told = tf.reduce_any(_has_another(support), axis=-1)[..., None, None]
    return replace(
        strengths,
        alpha=tf.where(is_told, alpha, strengths.alpha),
        ridge=tf.where(is_told, factor, tf.ones_like(factor)) * strengths.ridge,
    )


def leave_one_out(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """Scores of each item by the mapping of all others, for each λ and α: ``(..., R, A, N, C)``."""
    return _leave_one_out(support, _duals(support, prior, strengths))


@dataclass(frozen=True)
class _Duals:
    """For each λ, with ``C = (H Hᵀ + λI)⁻¹``: ``C Y`` and ``C H P``, ``(..., R, N, C)``, and its diagonal."""

    of_targets: tf.Tensor
    of_prior: tf.Tensor
    diagonal: tf.Tensor  # (..., R, N, 1)


def _duals(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> _Duals:
    """One Cholesky factor a λ: of ``N × N``, or of ``(d + 1) × (d + 1)`` where items are more."""
    H, mask, num_labels = support.H, support.mask[..., None], support.label_mask.shape[-1]
    prior_scores, targets = tf.matmul(H, prior), support.Y
    both = [targets + tf.zeros_like(prior_scores), prior_scores + tf.zeros_like(targets)]
    right = (mask * tf.concat(both, axis=-1))[..., None, :, :]
    factors = tf.constant(RIDGE_FACTORS, H.dtype)[:, None, None] * strengths.ridge
    if H.shape[-2] <= H.shape[-1]:
        gram = (tf.matmul(H, H, transpose_b=True) * mask * tf.linalg.matrix_transpose(mask))[..., None, :, :]
        eye = tf.eye(H.shape[-2], dtype=H.dtype)
        solved = solve_shifted(
            gram, tf.concat([right, eye + tf.zeros_like(right[..., :1])], axis=-1), factors
        )
        duals, inverse = solved[..., : 2 * num_labels], solved[..., 2 * num_labels :]
        diagonal = tf.linalg.diag_part(inverse)[..., None]
    else:
        masked = (mask * H)[..., None, :, :]
        gram = tf.matmul(masked, masked, transpose_a=True)
        columns = tf.matmul(masked, right, transpose_a=True)
        eye = tf.eye(H.shape[-1], dtype=H.dtype)
        solved = solve_shifted(
            gram, tf.concat([columns, eye + tf.zeros_like(columns[..., :1])], axis=-1), factors
        )
        duals = (right - tf.matmul(masked, solved[..., : 2 * num_labels])) / factors
        leverage = tf.reduce_sum(tf.matmul(masked, solved[..., 2 * num_labels :]) * masked, axis=-1)
        diagonal = (1.0 - leverage[..., None]) / factors
    return _Duals(duals[..., :num_labels], duals[..., num_labels:], diagonal)


def _mixture(support: SupportSet, duals: _Duals, strengths: Strengths) -> tf.Tensor:
    """The weight of each λ and α, which sum to 1: ``(..., R, A)``."""
    scores = _leave_one_out(support, duals)
    label_mask = support.label_mask[..., None, None, :]
    logits = masked_logits(scores, label_mask, strengths.scale)
    targets = tf.broadcast_to(support.targets[..., None, None, :], tf.shape(logits)[:-1])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    tells = _has_another(support)[..., None, None, :]
    likelihood = -tf.reduce_sum(tf.where(tells, losses, tf.zeros_like(losses)), axis=-1)
    ridges = tf.constant([math.log(factor) for factor in RIDGE_FACTORS], scores.dtype)
    alphas = tf.constant(ALPHAS, scores.dtype)
    distance = ((alphas - strengths.alpha) / strengths.alpha_spread) ** 2
    distance += ((ridges / strengths.ridge_spread) ** 2)[:, None]
    weights = likelihood - 0.5 * distance
    shape = tf.shape(weights)
    flat = tf.reshape(weights, tf.concat([shape[:-2], [len(RIDGE_FACTORS) * len(ALPHAS)]], axis=0))
    return tf.reshape(tf.nn.softmax(flat, axis=-1), shape)


def _has_another(support: SupportSet) -> tf.Tensor:
    """Whether an item's label has another item, from which its own can be predicted: bool ``(..., N)``.

    When a label's only example is left out, the examples that remain can but speak against it: its name
    would be taken for the better guide, whatever it says.
    """
    members = tf.one_hot(support.targets, support.label_mask.shape[-1], dtype=support.mask.dtype)
    members *= tf.cast(support.mask > 0, members.dtype)[..., None]
    count = tf.reduce_sum(members * tf.reduce_sum(members, axis=-2, keepdims=True), axis=-1)
    return count > 1.5


def _leave_one_out(support: SupportSet, duals: _Duals) -> tf.Tensor:
    """``y_i − dual_i / C_ii``, where the dual of ``Y − α H P`` is linear in α."""
    alphas = tf.constant(ALPHAS, duals.of_targets.dtype)[:, None, None]
    dual = duals.of_targets[..., None, :, :] - alphas * duals.of_prior[..., None, :, :]
    return support.Y[..., None, None, :, :] - dual / duals.diagonal[..., None, :, :]
