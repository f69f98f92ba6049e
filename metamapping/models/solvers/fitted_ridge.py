"""Fitted ridge: ridge regression whose hyperparameters are fitted to the task, from the support set alone.

A label's name may be misleading, examples may be noisy, and the beginning of a text may be decisive or
irrelevant. Which of these holds can be measured by how well the examples predict one another. For each α and
λ of a small grid, and each subset of the views, the predictions of left-out examples are known in closed
form. One example of each label is left out at a time, because a label that alone lacks an example would be at
a disadvantage. The task's α, λ and view weights are the mean of the grid under posterior weights: the
likelihood of those predictions times a prior around the learned values, so that few examples change little.

Residuals of left-out items: Allen, "The relationship between variable selection and data augmentation and
a method for prediction" (PRESS), Technometrics 1974. The figures: docs/experiments/strengths.md.

    weights = ridge(support, prior, hyperparameters)
    fitted = fit_hyperparameters(support, prior, hyperparameters)      # to inspect α, λ and the views
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import tensorflow as tf

from metamapping.models.solvers.hyperparameters import ALPHA_GRID, Hyperparameters
from metamapping.models.solvers.plain_ridge import plain_ridge, solve_regularized
from metamapping.models.solvers.solver_constants import (
    INVERSE_TEMPERATURE_FACTORS as INVERSE_TEMPERATURE_FACTORS,
)
from metamapping.models.solvers.solver_constants import MAX_EFFECTIVE_LABELS as MAX_EFFECTIVE_LABELS
from metamapping.models.solvers.solver_constants import MAX_ITEMS as MAX_ITEMS
from metamapping.models.solvers.solver_constants import TEXT_RIDGE_FACTORS as TEXT_RIDGE_FACTORS
from metamapping.models.solvers.support_set import SupportSet, masked_logits
from metamapping.models.solvers.views import num_views


def ridge(support: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
    """Plain ridge with the α, λ and view weights that fit each task.

    Words are solved with the learned hyperparameters: they would have to be left out by whole sentences,
    which ``word_ridge`` does for one task at a time.

    Args:
        support: The items of each task.
        prior: P of the first view, ``(..., d + 1, C)``.
        hyperparameters: The learned ones.

    Returns:
        Weights of the raw features, ``(..., num_views * d + 1, C)``.
    """
    if not support.is_independent:
        return plain_ridge(support, prior, hyperparameters)
    return plain_ridge(support, prior, fit_hyperparameters(support, prior, hyperparameters))


def fit_hyperparameters(
    support: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters
) -> Hyperparameters:
    """α, λ and the view weights of each task: the grid's posterior mean, for λ the geometric one.

    Args:
        support: Texts with several views, ``(..., N, num_views * d)``.
        prior: P of the first view, ``(..., d + 1, C)``.
        hyperparameters: The learned ones.

    Returns:
        The same with ``alpha`` and ``ridge`` of shape ``(..., 1, 1)`` and ``views`` of ``(..., 1, V - 1)``.
        They are the learned ones where no label has two examples, since nothing is evidence then.
    """
    support = _evenly_spaced_items(support)
    scores = leave_one_of_each_out(support, prior, hyperparameters)
    posterior = _posterior_weights(support, scores, hyperparameters)
    alphas = tf.constant(ALPHA_GRID, posterior.dtype)
    logarithms = tf.constant([[math.log(factor)] for factor in TEXT_RIDGE_FACTORS], posterior.dtype)
    subsets = tf.constant(_view_subsets(num_views(support, hyperparameters)), posterior.dtype)
    alpha = tf.reduce_sum(posterior * alphas, axis=(-3, -2, -1))[..., None, None]
    factor = tf.exp(tf.reduce_sum(posterior * logarithms, axis=(-3, -2, -1)))[..., None, None]
    views = tf.matmul(tf.reduce_sum(posterior, axis=(-2, -1))[..., None, :], subsets[:, 1:])
    has_evidence = tf.reduce_any(_is_predictable(support), axis=-1)[..., None, None]
    return replace(
        hyperparameters,
        alpha=tf.where(has_evidence, alpha, hyperparameters.alpha),
        ridge=tf.where(has_evidence, factor, tf.ones_like(factor)) * hyperparameters.ridge,
        views=tf.where(has_evidence, views, tf.ones_like(views) * hyperparameters.views),
    )


def leave_one_of_each_out(
    support: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters
) -> tf.Tensor:
    """Scores of each item by the mapping that was computed without the item's fold.

    With ``C = (H Hᵀ + λI)⁻¹`` and the dual ``D = C (Y − α H P)``, which is linear in α, the items l of a
    fold have the scores ``Y_l − (C_ll)⁻¹ D_l``. All folds are solved at once: setting C to zero between
    items of different folds leaves exactly the blocks ``C_ll``.

    Args:
        support: Texts with several views, ``(..., N, num_views * d)``.
        prior: P of the first view, ``(..., d + 1, C)``.
        hyperparameters: The learned ones; ``ridge`` is used.

    Returns:
        ``(..., W, R, A, N, C)``: by subset of views, λ and α.
    """
    mask, num_labels = support.mask[..., None], tf.shape(support.label_mask)[-1]
    count = num_views(support, hyperparameters)
    views = tf.split(support.features, count, axis=-1)
    grams = tf.stack([_gram(x) for x in views], axis=-3)
    gram = 1.0 + tf.einsum("wv,...vnm->...wnm", tf.constant(_view_subsets(count), grams.dtype), grams)
    gram = (gram * (mask * tf.linalg.matrix_transpose(mask))[..., None, :, :])[..., None, :, :]

    prior_scores = tf.matmul(views[0], prior[..., :-1, :]) + prior[..., -1:, :]
    targets = support.Y
    # Targets and prior scores are solved for together, as columns of one right-hand side: D is linear in α.
    both = tf.concat([targets + tf.zeros_like(prior_scores), prior_scores + tf.zeros_like(targets)], axis=-1)
    right = (mask * both)[..., None, None, :, :]
    eye = tf.eye(tf.shape(gram)[-1], dtype=gram.dtype)
    ridges = tf.constant(TEXT_RIDGE_FACTORS, gram.dtype)[:, None, None] * hyperparameters.ridge
    right = tf.concat([right, eye + tf.zeros_like(right[..., :1])], axis=-1)
    solved = solve_regularized(gram, right, ridges)
    duals, inverse = solved[..., : 2 * num_labels], solved[..., 2 * num_labels :]

    folds = _folds(support)
    is_same_fold = tf.cast(folds[..., None, :] == folds[..., :, None], gram.dtype)[..., None, None, :, :]
    left_out = tf.linalg.cholesky_solve(tf.linalg.cholesky(inverse * is_same_fold), duals)

    alphas = tf.constant(ALPHA_GRID, gram.dtype)[:, None, None]
    residuals = left_out[..., None, :, :num_labels] - alphas * left_out[..., None, :, num_labels:]
    return targets[..., None, None, None, :, :] - residuals


def _folds(support: SupportSet) -> tf.Tensor:
    """The fold in which each item is left out, with one item of each other label: int ``(..., N)``.

    The items of a label are numbered by their first feature, which carries little information and does not
    depend on the order in which they were given. Masked items are in fold −1.
    """
    first, targets = support.features[..., 0], support.targets
    is_present = support.mask > 0
    is_before = (first[..., None, :] < first[..., :, None]) & (targets[..., None, :] == targets[..., :, None])
    folds = tf.reduce_sum(tf.cast(is_before & is_present[..., None, :], tf.int32), axis=-1)
    return tf.where(is_present, folds, -1)


def _view_subsets(count: int) -> list[tuple[float, ...]]:
    """Weights of the views, 0 or 1 and 1 for the first: ``W`` rows of ``count``."""
    return [(1.0, *others) for others in itertools.product((0.0, 1.0), repeat=count - 1)]


def _gram(features: tf.Tensor) -> tf.Tensor:
    return tf.matmul(features, features, transpose_b=True)


def _evenly_spaced_items(support: SupportSet) -> SupportSet:
    """At most ``MAX_ITEMS`` items; all of them where their number is unknown to TensorFlow's graph."""
    count = support.features.shape[-2]
    # A caller that leaves the number of items open has limited it (adaptation.algebra.closed_form does).
    if count is None or count <= MAX_ITEMS:
        return support
    rows = [round(i * (count - 1) / (MAX_ITEMS - 1)) for i in range(MAX_ITEMS)]
    return replace(
        support,
        features=tf.gather(support.features, rows, axis=-2),
        targets=tf.gather(support.targets, rows, axis=-1),
        mask=tf.gather(support.mask, rows, axis=-1),
    )


def _posterior_weights(support: SupportSet, scores: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
    """The posterior weight of each subset of views, λ and α, which sum to 1: ``(..., W, R, A)``."""
    log_posterior = _log_likelihood(support, scores, hyperparameters.inverse_temperature)
    log_ridges = tf.constant([math.log(factor) for factor in TEXT_RIDGE_FACTORS], scores.dtype)
    alphas = tf.constant(ALPHA_GRID, scores.dtype)
    distance = ((alphas - hyperparameters.alpha) / hyperparameters.alpha_spread) ** 2
    distance += ((log_ridges / hyperparameters.ridge_spread) ** 2)[:, None]
    subsets = tf.constant(_view_subsets(num_views(support, hyperparameters)), scores.dtype)[:, 1:]
    views = tf.clip_by_value(hyperparameters.views, 1e-6, 1.0 - 1e-6)
    log_views = tf.math.log(views) * subsets + tf.math.log1p(-views) * (1.0 - subsets)
    weights = log_posterior - 0.5 * distance + tf.reduce_sum(log_views, axis=-1)[:, None, None]
    shape = tf.shape(weights)
    flat = tf.reshape(weights, tf.concat([shape[:-3], [tf.reduce_prod(shape[-3:])]], axis=0))
    return tf.reshape(tf.nn.softmax(flat, axis=-1), shape)


def _log_likelihood(support: SupportSet, scores: tf.Tensor, inverse_temperature: tf.Tensor) -> tf.Tensor:
    """The log likelihood of left-out items' labels, summed over ``INVERSE_TEMPERATURE_FACTORS``.

    ``(..., W, R, A)`` from scores ``(..., W, R, A, N, C)``.
    """
    label_mask = support.label_mask[..., None, None, None, :]
    targets = tf.broadcast_to(support.targets[..., None, None, None, :], tf.shape(scores)[:-1])
    is_evidence = _is_predictable(support)[..., None, None, None, :]
    likelihoods = []
    for factor in INVERSE_TEMPERATURE_FACTORS:
        logits = masked_logits(scores, label_mask, factor * inverse_temperature)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        likelihoods.append(-tf.reduce_sum(tf.where(is_evidence, losses, tf.zeros_like(losses)), axis=-1))
    num_labels = tf.reduce_sum(support.label_mask, axis=-1)[..., None, None, None]
    exponent = MAX_EFFECTIVE_LABELS / tf.maximum(num_labels, MAX_EFFECTIVE_LABELS)
    return tf.reduce_logsumexp(exponent * tf.stack(likelihoods), axis=0)


def _is_predictable(support: SupportSet) -> tf.Tensor:
    """Whether an item's label has another item, from which its own can be predicted: bool ``(..., N)``.

    When a label's only example is left out, the remaining examples can only be evidence against it. Its
    name would then seem to be better evidence, even if it is misleading.
    """
    members = tf.one_hot(support.targets, tf.shape(support.label_mask)[-1], dtype=support.mask.dtype)
    members *= tf.cast(support.mask > 0, members.dtype)[..., None]
    count = tf.reduce_sum(members * tf.reduce_sum(members, axis=-2, keepdims=True), axis=-1)
    return count > 1.5
