"""Ridge, fitted to the task: how much the prior and each view count, and λ, from the support set alone.

A label's name may mislead, examples may be noisy, and a text's beginning may tell everything or nothing;
which it is shows in how well the examples are predicted from one another. For each α and λ of a small
grid, with each view there or not, the predictions of left-out examples are known in closed form. One
example of each label is left out at a time, since a label that alone lacks one is at a disadvantage. The
task's α, λ and weights of views are the grid's mean, weighted by the likelihood of those predictions and by
how near they are to the learned ones, so that few examples change little.

Residuals of what is left out: Allen, "The relationship between variable selection and data augmentation and
a method for prediction" (PRESS), Technometrics 1974. The figures: docs/decisions/strengths.md.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import tensorflow as tf

from metamapping.models.solvers.plain_ridge import plain_ridge, solve_shifted
from metamapping.models.solvers.support_set import Strengths, SupportSet, masked_logits
from metamapping.models.solvers.views import num_views

# The grid: multiples of the learned λ (R of them), and the prior from not at all to twice (A).
RIDGE_FACTORS = (1 / 9, 1 / 3, 1.0, 3.0, 9.0)
ALPHAS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)
# Of more items these many, evenly, are enough to fit to.
MOST_ITEMS = 512
# Of more labels than these all together tell as much as these.
TELLING_LABELS = 5.0
# Multiples of τ, equally likely: the more labels there are, the sharper is what fits.
SHARPNESSES = (1.0, 2.0, 4.0)


def ridge(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """Plain ridge with the α, λ and views that fit the task: ``(..., num_views * d + 1, C)``."""
    if not support.is_independent:  # a word's sentence has to be left out with it: sentences.py
        return plain_ridge(support, prior, strengths)
    return plain_ridge(support, prior, fit_strengths(support, prior, strengths))


def fit_strengths(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> Strengths:
    """α, λ and the views' weights of each task, ``(..., 1, 1)``: the mean over the grid, of λ the geometric.

    The learned ones where no label has two examples, and nothing tells how well they are predicted.
    """
    support = _some(support)
    mixture = _mixture(support, leave_one_of_each_out(support, prior, strengths), strengths)
    alphas = tf.constant(ALPHAS, mixture.dtype)
    logarithms = tf.constant([[math.log(factor)] for factor in RIDGE_FACTORS], mixture.dtype)
    subsets = tf.constant(_subsets(num_views(support, strengths)), mixture.dtype)
    alpha = tf.reduce_sum(mixture * alphas, axis=(-3, -2, -1))[..., None, None]
    factor = tf.exp(tf.reduce_sum(mixture * logarithms, axis=(-3, -2, -1)))[..., None, None]
    views = tf.matmul(tf.reduce_sum(mixture, axis=(-2, -1))[..., None, :], subsets[:, 1:])
    is_told = tf.reduce_any(_has_another(support), axis=-1)[..., None, None]
    return replace(
        strengths,
        alpha=tf.where(is_told, alpha, strengths.alpha),
        ridge=tf.where(is_told, factor, tf.ones_like(factor)) * strengths.ridge,
        views=tf.where(is_told, views, tf.ones_like(views) * strengths.views),
    )


def leave_one_of_each_out(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """Scores of each item by the mapping without its turn, for each subset of views, λ and α.

    ``(..., W, R, A, N, C)``: ``Y_l − (C_ll)⁻¹ D_l`` of the items l that are left out together, with
    ``C = (H Hᵀ + λI)⁻¹`` and the dual ``D = C (Y − α H P)``, which is linear in α. All of them at once:
    C with zeros between items of other turns is their blocks.
    """
    mask, num_labels = support.mask[..., None], tf.shape(support.label_mask)[-1]
    count = num_views(support, strengths)
    views = tf.split(support.features, count, axis=-1)
    grams = tf.stack([_gram(x) for x in views], axis=-3)
    gram = 1.0 + tf.einsum("wv,...vnm->...wnm", tf.constant(_subsets(count), grams.dtype), grams)
    gram = (gram * (mask * tf.linalg.matrix_transpose(mask))[..., None, :, :])[..., None, :, :]

    of_prior = tf.matmul(views[0], prior[..., :-1, :]) + prior[..., -1:, :]
    targets = support.Y
    both = tf.concat([targets + tf.zeros_like(of_prior), of_prior + tf.zeros_like(targets)], axis=-1)
    right = (mask * both)[..., None, None, :, :]
    eye = tf.eye(tf.shape(gram)[-1], dtype=gram.dtype)
    factors = tf.constant(RIDGE_FACTORS, gram.dtype)[:, None, None] * strengths.ridge
    solved = solve_shifted(gram, tf.concat([right, eye + tf.zeros_like(right[..., :1])], axis=-1), factors)
    duals, inverse = solved[..., : 2 * num_labels], solved[..., 2 * num_labels :]

    turns = _turns(support)
    together = tf.cast(turns[..., None, :] == turns[..., :, None], gram.dtype)[..., None, None, :, :]
    left_out = tf.linalg.cholesky_solve(tf.linalg.cholesky(inverse * together), duals)

    alphas = tf.constant(ALPHAS, gram.dtype)[:, None, None]
    residuals = left_out[..., None, :, :num_labels] - alphas * left_out[..., None, :, num_labels:]
    return targets[..., None, None, None, :, :] - residuals


def _turns(support: SupportSet) -> tf.Tensor:
    """When each item is left out, with one of each other label: int ``(..., N)``.

    A label's items take turns by their first feature, which says little and does not depend on the order in
    which they were given. What is masked has a turn too, that of no item.
    """
    first, targets = support.features[..., 0], support.targets
    is_there = support.mask > 0
    is_before = (first[..., None, :] < first[..., :, None]) & (targets[..., None, :] == targets[..., :, None])
    turns = tf.reduce_sum(tf.cast(is_before & is_there[..., None, :], tf.int32), axis=-1)
    return tf.where(is_there, turns, -1)


def _subsets(count: int) -> list[tuple[float, ...]]:
    """Weights of the views, of which the first always counts: ``W`` rows of ``count``."""
    return [(1.0, *others) for others in itertools.product((0.0, 1.0), repeat=count - 1)]


def _gram(features: tf.Tensor) -> tf.Tensor:
    return tf.matmul(features, features, transpose_b=True)


def _some(support: SupportSet) -> SupportSet:
    """At most ``MOST_ITEMS`` items, evenly."""
    count = support.features.shape[-2]
    if count is None or count <= MOST_ITEMS:  # whoever leaves it open has seen to it
        return support
    rows = [round(i * (count - 1) / (MOST_ITEMS - 1)) for i in range(MOST_ITEMS)]
    return replace(
        support,
        features=tf.gather(support.features, rows, axis=-2),
        targets=tf.gather(support.targets, rows, axis=-1),
        mask=tf.gather(support.mask, rows, axis=-1),
    )


def _mixture(support: SupportSet, scores: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """The weight of each subset of views, λ and α, which sum to 1: ``(..., W, R, A)``."""
    label_mask = support.label_mask[..., None, None, None, :]
    targets = tf.broadcast_to(support.targets[..., None, None, None, :], tf.shape(scores)[:-1])
    tells = _has_another(support)[..., None, None, None, :]
    likelihoods = []
    for sharpness in SHARPNESSES:
        logits = masked_logits(scores, label_mask, sharpness * strengths.scale)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
        likelihoods.append(-tf.reduce_sum(tf.where(tells, losses, tf.zeros_like(losses)), axis=-1))
    num_labels = tf.reduce_sum(support.label_mask, axis=-1)[..., None, None, None]
    told = TELLING_LABELS / tf.maximum(num_labels, TELLING_LABELS)
    likelihood = tf.reduce_logsumexp(told * tf.stack(likelihoods), axis=0)
    ridges = tf.constant([math.log(factor) for factor in RIDGE_FACTORS], scores.dtype)
    alphas = tf.constant(ALPHAS, scores.dtype)
    distance = ((alphas - strengths.alpha) / strengths.alpha_spread) ** 2
    distance += ((ridges / strengths.ridge_spread) ** 2)[:, None]
    subsets = tf.constant(_subsets(num_views(support, strengths)), scores.dtype)[:, 1:]
    views = tf.clip_by_value(strengths.views, 1e-6, 1.0 - 1e-6)
    odds = tf.math.log(views) * subsets + tf.math.log1p(-views) * (1.0 - subsets)
    weights = likelihood - 0.5 * distance + tf.reduce_sum(odds, axis=-1)[:, None, None]
    shape = tf.shape(weights)
    flat = tf.reshape(weights, tf.concat([shape[:-3], [tf.reduce_prod(shape[-3:])]], axis=0))
    return tf.reshape(tf.nn.softmax(flat, axis=-1), shape)


def _has_another(support: SupportSet) -> tf.Tensor:
    """Whether an item's label has another item, from which its own can be predicted: bool ``(..., N)``.

    When a label's only example is left out, the examples that remain can but speak against it: its name
    would be taken for the better guide, whatever it says.
    """
    members = tf.one_hot(support.targets, tf.shape(support.label_mask)[-1], dtype=support.mask.dtype)
    members *= tf.cast(support.mask > 0, members.dtype)[..., None]
    count = tf.reduce_sum(members * tf.reduce_sum(members, axis=-2, keepdims=True), axis=-1)
    return count > 1.5
