"""Solution: a task's mapping as plain arrays, computed in closed form from its support.

solution = solve(model.mapping, name_features, is_outside, support)
scores = features @ solution.weights[:-1] + solution.weights[-1]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from metamapping.models.mapping import MetaMapping, centred_targets, compute_mapping
from metamapping.support import Support

_TARGETS_AT_ONCE = 20_000_000  # 80 MB of one-hot targets; labels beyond that are solved in blocks


@dataclass(frozen=True)
class Solution:
    """What predicts. Weights are of scores: a text with features x has the scores ``[x, 1] V``.

    ``weights``: V, float32 ``(dim + 1, num_labels)``. ``prior``: the part of V that the label names
    alone give, α P. ``ridge``: λ.
    """

    weights: np.ndarray
    prior: np.ndarray
    ridge: float

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Float32 ``(num_items, num_labels)``."""
        scores: np.ndarray = features @ self.weights[:-1] + self.weights[-1]
        return scores

    def dual(self, support: Support, label: int) -> np.ndarray:
        """``(Y − H V) / λ`` of one label: float32 ``(num_items,)``; ``V = prior + Hᵀ dual``."""
        targets = (support.targets == label) - 1.0 / self.weights.shape[1]
        scores = support.features @ self.weights[:-1, label] + self.weights[-1, label]
        dual: np.ndarray = ((targets - scores) / self.ridge).astype(np.float32)
        return dual


def solve(
    mapping: MetaMapping, name_features: np.ndarray, is_outside: np.ndarray, support: Support
) -> Solution:
    """The mapping of a task. ``name_features``: ``(C, d)``. ``is_outside``: bool ``(C,)``."""
    num_items, num_labels = len(support.features), len(name_features)
    outside = tf.constant(is_outside, tf.float32)
    vectors = mapping.label_vectors(tf.constant(name_features), outside, tf.ones(num_labels))
    prior = mapping.prior(vectors)
    if not num_items:
        return Solution(prior.numpy(), prior.numpy(), float(mapping.ridge))
    alpha = tf.convert_to_tensor(mapping.alpha)
    features = tf.constant(support.features)
    targets = tf.constant(support.targets, tf.int32)
    block = max(1, _TARGETS_AT_ONCE // num_items)
    weights = [
        # The columns of a ridge regression do not depend on one another.
        compute_mapping(
            features,
            _target_columns(targets, num_labels, first, min(first + block, num_labels)),
            support=tf.ones(num_items),
            prior=prior[:, first : first + block],
            alpha=alpha,
            ridge=mapping.ridge,
        ).numpy()
        for first in range(0, num_labels, block)
    ]
    return Solution(np.concatenate(weights, axis=1), float(alpha) * prior.numpy(), float(mapping.ridge))


def _target_columns(targets: tf.Tensor, num_labels: int, first: int, last: int) -> tf.Tensor:
    """Columns ``first`` to ``last`` of the centred one-hot targets."""
    if last - first == num_labels:
        return centred_targets(targets, tf.ones(num_labels))
    return tf.one_hot(targets - first, last - first) - 1.0 / num_labels
