"""Views: several feature vectors of one text, concatenated, each with a weight in the kernel.

The kernel of two texts is the weighted sum of their views' own, ``Σ_v w_v x_v·x'_v``. Multiplying each view
by the square root of its weight has the same effect, and once those factors are folded into the weights of
the scores, no later step needs to know of them. The prior reads only the first view, whose weight is 1.
Words already carry the weights of their views in their features.

    @with_weighted_views
    def solver(support, prior, hyperparameters): ...
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import tensorflow as tf

from metamapping.models.solvers.hyperparameters import Hyperparameters
from metamapping.models.solvers.support_set import SupportSet

Solver = Callable[[SupportSet, tf.Tensor, Hyperparameters], tf.Tensor]


def with_weighted_views(solver: Solver) -> Solver:
    """A solver of single feature vectors, made to weight the views of a text.

    Args:
        solver: Computes weights ``(..., width + 1, C)`` from features of ``width``.

    Returns:
        A solver that takes raw features, ``num_views * d`` wide, and a prior ``(..., d + 1, C)`` of the
        first view. It returns weights of raw features, ``(..., num_views * d + 1, C)``.
    """

    def solve_weighted(support: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters) -> tf.Tensor:
        roots = view_roots(support, hyperparameters)
        weighted = replace(support, features=support.features * roots)
        return _weights_of_raw_features(
            solver(weighted, pad_to_views(prior, weighted), hyperparameters), roots
        )

    return solve_weighted


def num_views(support: SupportSet, hyperparameters: Hyperparameters) -> int:
    """The number of views whose weights are applied here.

    Args:
        support: Texts or words.
        hyperparameters: Determines the number of views of a text.

    Returns:
        The number of views of a text; 1 for words, whose features are weighted already.
    """
    return 1 + int(hyperparameters.views.shape[-1]) if support.is_independent else 1


def view_roots(support: SupportSet, hyperparameters: Hyperparameters) -> tf.Tensor:
    """The square root of each feature's weight in the kernel.

    Args:
        support: Items whose features are ``num_views * d`` wide.
        hyperparameters: Contains the weights of the views after the first, whose weight is 1.

    Returns:
        ``(..., 1, num_views * d)``.
    """
    count = num_views(support, hyperparameters)
    if count == 1:
        return tf.ones((1, support.features.shape[-1]), support.features.dtype)
    views = hyperparameters.views
    views = views if views.shape.rank > 1 else views[None, :]
    # The square root has an infinite gradient at zero; a weight of 1e-6 is as good as none.
    others = tf.sqrt(tf.maximum(views, 1e-6))
    roots = tf.concat([tf.ones_like(others[..., :1]), others], axis=-1)
    return tf.repeat(roots, support.features.shape[-1] // count, axis=-1)


def pad_to_views(prior: tf.Tensor, support: SupportSet) -> tf.Tensor:
    """The prior with zeros for all views but the first.

    Args:
        prior: ``(..., d + 1, C)``.
        support: Items whose features are ``num_views * d`` wide.

    Returns:
        ``(..., num_views * d + 1, C)``.
    """
    missing = support.features.shape[-1] + 1 - prior.shape[-2]
    if not missing:
        return prior
    zeros = [[0, 0]] * (prior.shape.rank - 2) + [[0, missing], [0, 0]]
    return tf.concat([tf.pad(prior[..., :-1, :], zeros), prior[..., -1:, :]], axis=-2)


def _weights_of_raw_features(weights: tf.Tensor, roots: tf.Tensor) -> tf.Tensor:
    """The weights of weighted features as weights of the raw ones."""
    return tf.concat(
        [weights[..., :-1, :] * tf.linalg.matrix_transpose(roots), weights[..., -1:, :]], axis=-2
    )
