"""Solution: a task's mapping as plain arrays, computed in closed form from its support.

solution = solve(model.mapping, name_features, is_outside, support)
scores = features @ solution.weights[:-1] + solution.weights[-1]
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import tensorflow as tf

from metamapping.models.encoder import NUM_VIEWS
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SupportSet
from metamapping.models.solvers.plain_ridge import regress, solve_shifted
from metamapping.models.solvers.ridge import MOST_ITEMS, fit_strengths
from metamapping.models.solvers.sentences import fit_to_sentences
from metamapping.models.solvers.support_set import Strengths, of_words
from metamapping.models.solvers.views import folded, view_roots, widened
from metamapping.support import Support

# What α, λ and views are fitted to at the most: 128,000 scores, times a grid of 120, are 60 MB.
_SCORES_AT_ONCE, _LABELS_AT_ONCE = 128_000, 500


@dataclass(frozen=True)
class Solution:
    """What predicts. Weights are of scores: a text with features x has the scores ``[x, 1] V``.

    ``weights``: V, float32 ``(width + 1, num_labels)``, of all views side by side.
    ``prior``: the part of V that the label names alone give, α P. ``ridge``: λ; ``None`` for a solver that
    is no ridge regression. ``views``: the weights of a text's views after the first, in the kernel; a word's
    stand in its features.
    """

    weights: np.ndarray
    prior: np.ndarray
    ridge: float | None
    views: tuple[float, ...] = ()

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Float32 ``(num_items, num_labels)``."""
        scores: np.ndarray = features @ self.weights[:-1] + self.weights[-1]
        return scores

    def weighted(self, features: np.ndarray) -> np.ndarray:
        """Features whose products are the kernel: each view times the root of its weight."""
        parts = np.split(features, 1 + len(self.views), axis=-1)
        roots = np.sqrt(np.asarray([1.0, *self.views], np.float32))
        return np.concatenate([part * root for part, root in zip(parts, roots, strict=True)], axis=-1)

    def dual(self, support: Support, label: int) -> np.ndarray:
        """``(Y − H V) / λ`` of one label, float32 ``(num_items,)``: an item's scores are its prior's and
        ``Σᵢ (kernel(x, xᵢ) + 1) dualᵢ``.

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
    num_labels = len(name_features)
    outside = tf.constant(is_outside, tf.float32)
    vectors = mapping.label_vectors(tf.constant(name_features), outside, tf.ones(num_labels))
    prior = mapping.prior(vectors)
    is_ner = bool(is_outside.any())
    items, strengths = _support_set(support, num_labels, is_ner), mapping.strengths
    wide = widened(prior, items)
    if not len(support.features):
        views = _views(items, strengths)
        return Solution(wide.numpy(), wide.numpy(), float(strengths.ridge), views)
    if mapping.solver not in ("ridge", "plain-ridge"):
        weights = mapping.compute_mapping(items, prior)
        return Solution(weights.numpy(), wide.numpy(), None, _views(items, strengths))
    if is_ner:
        items, strengths = of_words(items, strengths)
        if mapping.solver == "ridge":
            strengths = _fit_words(support, items, wide, strengths)
    elif mapping.solver == "ridge":
        some, labels = _some(support, num_labels)
        fitted = _fit(
            some.features, some.targets, tf.gather(prior, labels, axis=1), *vars(strengths).values()
        )
        strengths = Strengths(*fitted)
    roots = view_roots(items, strengths)
    items = replace(items, features=items.features * roots)
    if items.features.shape[0] > items.features.shape[1]:
        weights = folded(_primal(items, wide, strengths), roots)
    else:
        weights = folded(regress(items, items.Y, wide, strengths), roots)
    alpha, ridge = float(tf.squeeze(strengths.alpha)), float(tf.squeeze(strengths.ridge))
    return Solution(weights.numpy(), alpha * wide.numpy(), ridge, _views(items, strengths))


def _fit_words(support: Support, items: SupportSet, prior: tf.Tensor, strengths: Strengths) -> Strengths:
    learned = {name: float(getattr(strengths, name)) for name in ("alpha", "alpha_spread", "ridge", "scale")}
    alpha, ridge = fit_to_sentences(
        support.features, support.targets, support.offsets, items.mask.numpy(), prior.numpy(), **learned
    )
    return replace(strengths, alpha=tf.constant(alpha, tf.float32), ridge=tf.constant(ridge, tf.float32))


_SCALAR = tf.TensorSpec((), tf.float32)


# Compiled once for every number of items, labels and features: its many small steps take longer one by one.
@tf.function(  # type: ignore[untyped-decorator]  # TensorFlow has no types
    input_signature=[
        tf.TensorSpec((None, None), tf.float32),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None, None), tf.float32),
        *[_SCALAR] * 6,
        tf.TensorSpec((NUM_VIEWS - 1,), tf.float32),
    ],
    autograph=False,
)
def _fit(features: tf.Tensor, targets: tf.Tensor, prior: tf.Tensor, *strengths: tf.Tensor) -> list[tf.Tensor]:
    items = SupportSet(features, targets, tf.ones_like(features[:, 0]), tf.ones_like(prior[0]))
    return list(vars(fit_strengths(items, prior, Strengths(*strengths))).values())


def _views(items: SupportSet, strengths: Strengths) -> tuple[float, ...]:
    """The weights of the views after the first; none for words."""
    if not items.is_independent:
        return ()
    return tuple(float(weight) for weight in np.ravel(strengths.views.numpy()))


def _primal(items: SupportSet, prior: tf.Tensor, strengths: Strengths) -> tf.Tensor:
    """``regress`` on the centred labels without writing them out: items × labels would be many.

    ``αP + (HᵀH + λI)⁻¹ (HᵀY − α HᵀH P)``, where ``HᵀY`` is the labels' sums less their share of all. Of words
    the constant, which H is without there, still takes its part of the prior's scores.
    """
    num_labels = prior.shape[-1]
    basis = items.basis
    masked = items.mask[:, None] * basis
    gram = tf.matmul(masked, masked, transpose_a=True)
    sums = tf.math.unsorted_segment_sum(items.mask[:, None] * masked, items.targets, num_labels)
    centred = sums - tf.reduce_sum(sums, axis=0, keepdims=True) / num_labels
    prior = tf.squeeze(strengths.alpha) * prior
    constant = items.mask[:, None] * (items.H[:, -1:] - basis[:, -1:])
    of_prior = tf.matmul(gram, prior) + tf.matmul(masked, constant, transpose_a=True) * prior[-1:]
    right = tf.transpose(centred) - of_prior
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
    """Enough items to fit α, λ and views to, of each label alike, and of very many labels some."""
    labels = np.arange(num_labels)
    if num_labels > _LABELS_AT_ONCE:
        present = np.unique(support.targets)
        labels = present[np.linspace(0, len(present) - 1, _LABELS_AT_ONCE).astype(int)]
    of_labels = np.flatnonzero(np.isin(support.targets, labels))
    by_label = of_labels[np.argsort(support.targets[of_labels], kind="stable")]
    count = min(len(by_label), MOST_ITEMS, _SCORES_AT_ONCE // len(labels))
    rows = np.sort(by_label[np.linspace(0, len(by_label) - 1, count).astype(int)])
    slots = np.searchsorted(labels, support.targets[rows]).astype(np.int32)
    return replace(support, features=support.features[rows], targets=slots), labels
