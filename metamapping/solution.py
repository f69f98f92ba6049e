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
from metamapping.models.solvers.plain_ridge import regress, solve_shifted
from metamapping.models.solvers.ridge import fit_strengths
from metamapping.models.solvers.support_set import Strengths, of_words
from metamapping.support import Support

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
    if num_items > support.features.shape[1]:
        weights = _primal(items, prior, strengths).numpy()
    else:
        weights = regress(items, items.Y, prior, strengths).numpy()
    alpha, ridge = float(tf.squeeze(strengths.alpha)), float(tf.squeeze(strengths.ridge))
    return Solution(weights, alpha * prior.numpy(), ridge)


def _primal(items: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """``regress`` on the centred labels without writing them out: items × labels would be many.

    ``αP + (HᵀH + λI)⁻¹ (HᵀY − α HᵀH P)``, where ``HᵀY`` is the labels' sums less their share of all.
    """
    num_labels = prior.shape[-1]
    masked = items.mask[:, None] * items.H
    gram = tf.matmul(masked, masked, transpose_a=True)
    sums = tf.math.unsorted_segment_sum(items.mask[:, None] * masked, items.targets, num_labels)
    centred = sums - tf.reduce_sum(sums, axis=0, keepdims=True) / num_labels
    prior = tf.squeeze(strengths.alpha) * prior
    right = tf.transpose(centred) - tf.matmul(gram, prior)
    return prior + solve_shifted(gram, right, tf.squeeze(strengths.ridge))


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
