"""Solution: a task's mapping as plain arrays, computed in closed form from its support.

solution = solve(model.mapping, name_features, is_outside, support)
scores = features @ solution.weights[:-1] + solution.weights[-1]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SupportSet
from metamapping.models.solvers.plain_ridge import regress
from metamapping.models.solvers.ridge import fit_strengths
from metamapping.models.solvers.support_set import of_words
from metamapping.support import Support

_TARGETS_AT_ONCE = 20_000_000  # 80 MB of one-hot targets; labels beyond that are solved in blocks
# What α and λ are fitted to at the most: 500,000 scores, times a grid of 30, are 60 MB.
_SCORES_AT_ONCE, _LABELS_AT_ONCE = 500_000, 500


@dataclass(frozen=True)
class Solution:
    """What predicts. Weights are of scores: a text with features x has the scores ``[x, 1] V``.

    ``weights``: V, float32 ``(dim + 1, num_labels)``. ``prior``: the part of V that the label names
    alone give, α P. ``ridge``: λ; ``None`` for a solver that is no ridge regression.
    """

    weights: np.ndarray
    prior: np.ndarray
    ridge: float | None

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Float32 ``(num_items, num_labels)``."""
        scores: np.ndarray = features @ self.weights[:-1] + self.weights[-1]
        return scores

    def dual(self, support: Support, label: int) -> np.ndarray:
        """``(Y − H V) / λ`` of one label: float32 ``(num_items,)``; ``V = prior + Hᵀ dual``.

        Raises ``ValueError`` where the encoder was trained with a solver that is no ridge regression.
        """
        if self.ridge is None:
            raise ValueError("what an example adds is known for the solvers `ridge` and `plain-ridge` alone")
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
    strengths = mapping.strengths
    if not num_items:
        return Solution(prior.numpy(), prior.numpy(), float(strengths.ridge))
    is_ner = bool(is_outside.any())
    items = _support_set(support, num_labels, is_ner)
    if mapping.solver not in ("ridge", "plain-ridge"):
        return Solution(mapping.compute_mapping(items, prior).numpy(), prior.numpy(), None)
    if is_ner:
        items, strengths = of_words(items, strengths)
    elif mapping.solver == "ridge":
        some, labels = _some(support, num_labels)
        some_items = _support_set(some, len(labels), is_ner)
        strengths = fit_strengths(some_items, tf.gather(prior, labels, axis=1), strengths)
    block = max(1, _TARGETS_AT_ONCE // num_items)
    weights = [
        regress(
            items, _targets(support, num_labels, first, block), prior[:, first : first + block], strengths
        )
        for first in range(0, num_labels, block)
    ]
    alpha, ridge = float(tf.squeeze(strengths.alpha)), float(tf.squeeze(strengths.ridge))
    return Solution(np.concatenate(weights, axis=1), alpha * prior.numpy(), ridge)


def _support_set(support: Support, num_labels: int, is_ner: bool) -> SupportSet:
    return SupportSet(
        features=tf.constant(support.features),
        targets=tf.constant(support.targets, tf.int32),
        mask=tf.ones(len(support.targets)),
        label_mask=tf.ones(num_labels),
        is_independent=not is_ner,
    )


def _some(support: Support, num_labels: int) -> tuple[Support, np.ndarray]:
    """Enough items to fit α and λ to, of each label alike, and of very many labels some."""
    labels = np.arange(num_labels)
    if num_labels > _LABELS_AT_ONCE:
        present = np.unique(support.targets)
        labels = present[np.linspace(0, len(present) - 1, _LABELS_AT_ONCE).astype(int)]
    of_labels = np.flatnonzero(np.isin(support.targets, labels))
    by_label = of_labels[np.argsort(support.targets[of_labels], kind="stable")]
    count = min(len(by_label), _SCORES_AT_ONCE // len(labels))
    rows = np.sort(by_label[np.linspace(0, len(by_label) - 1, count).astype(int)])
    slots = np.searchsorted(labels, support.targets[rows]).astype(np.int32)
    return replace(support, features=support.features[rows], targets=slots), labels


def _targets(support: Support, num_labels: int, first: int, count: int) -> tf.Tensor:
    """Columns of the centred one-hot targets, from ``first`` on."""
    count = min(count, num_labels - first)
    return tf.one_hot(tf.constant(support.targets, tf.int32) - first, count) - 1.0 / num_labels
