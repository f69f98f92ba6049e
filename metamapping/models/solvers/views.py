"""Views: several features of one text side by side, each weighted by how much it tells of the task.

The kernel of two texts is the weighted sum of their views' own, ``Σ_v w_v x_v·x'_v``. That is what the root
of each weight before its view amounts to, and folded into the weights of scores nothing downstream knows.
The prior reads the first view alone, which has the weight 1. Words bring their views weighted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import tensorflow as tf

from metamapping.models.solvers.support_set import Strengths, SupportSet

Solver = Callable[[SupportSet, tf.Tensor, Strengths], tf.Tensor]


def over_views(solver: Solver) -> Solver:
    """A solver of one feature, for texts of several views: V in and out is of the raw features.

    ``prior``: ``(..., d + 1, C)``. Returns ``(..., num_views * d + 1, C)``.
    """

    def of_views(support: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
        roots = view_roots(support, strengths)
        inside = replace(support, features=support.features * roots)
        return folded(solver(inside, widened(prior, support), strengths), roots)

    return of_views


def num_views(support: SupportSet, strengths: Strengths) -> int:
    """How many views are weighted here: of words none beside the first."""
    return 1 + int(strengths.views.shape[-1]) if support.is_independent else 1


def view_roots(support: SupportSet, strengths: Strengths) -> tf.Tensor:
    """The root of each feature's weight: ``(..., 1, num_views * d)``."""
    count = num_views(support, strengths)
    if count == 1:
        return tf.ones((1, support.features.shape[-1]), support.features.dtype)
    views = strengths.views if strengths.views.shape.rank > 1 else strengths.views[None, :]
    # The root's gradient at zero is infinite; a weight of no use is as good as zero.
    others = tf.sqrt(tf.maximum(views, 1e-6))
    roots = tf.concat([tf.ones_like(others[..., :1]), others], axis=-1)
    return tf.repeat(roots, support.features.shape[-1] // count, axis=-1)


def widened(prior: tf.Tensor, support: SupportSet) -> tf.Tensor:
    """The prior with zeros for all views but the first."""
    missing = support.features.shape[-1] + 1 - prior.shape[-2]
    if not missing:
        return prior
    zeros = [[0, 0]] * (prior.shape.rank - 2) + [[0, missing], [0, 0]]
    return tf.concat([tf.pad(prior[..., :-1, :], zeros), prior[..., -1:, :]], axis=-2)


def folded(weights: tf.Tensor, roots: tf.Tensor) -> tf.Tensor:
    """Weights of weighted features as weights of the raw ones."""
    return tf.concat(
        [weights[..., :-1, :] * tf.linalg.matrix_transpose(roots), weights[..., -1:, :]], axis=-2
    )
