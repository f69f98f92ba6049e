"""Solution: a task's mapping as plain arrays, computed in closed form from its support.

solution = solve(model.mapping, name_features, is_outside, support)
scores = features @ solution.weights[:-1] + solution.weights[-1]
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import tensorflow as tf
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array

from metamapping.adaptation.support import Support
from metamapping.models.encoder import NUM_VIEWS
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SupportSet
from metamapping.models.solvers.fitted_ridge import MOST_ITEMS, fit_strengths
from metamapping.models.solvers.hyperparameters import Strengths
from metamapping.models.solvers.support_set import of_words
from metamapping.models.solvers.views import widened
from metamapping.models.solvers.word_ridge import fit_to_sentences

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
        weighted: np.ndarray = features * _roots(self.views, features.shape[-1])
        return weighted

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
        fitted = _fit(some.features, some.targets, tf.gather(prior, labels, axis=1), vars(strengths))
        strengths = Strengths(**fitted)
    alpha, ridge = float(tf.squeeze(strengths.alpha)), float(tf.squeeze(strengths.ridge))
    of_names, views = alpha * wide.numpy(), _views(items, strengths)
    return Solution(_regress(items, of_names, ridge, views), of_names, ridge, views)


def _fit_words(support: Support, items: SupportSet, prior: tf.Tensor, strengths: Strengths) -> Strengths:
    alpha, ridge = fit_to_sentences(
        support.features,
        support.targets,
        support.offsets,
        items.mask.numpy(),
        prior.numpy(),
        alpha=float(strengths.alpha),
        alpha_spread=float(strengths.alpha_spread),
        ridge=float(strengths.ridge),
        inverse_temperature=float(strengths.inverse_temperature),
    )
    return replace(strengths, alpha=tf.constant(alpha, tf.float32), ridge=tf.constant(ridge, tf.float32))


# One for each hyperparameter, by name.
_STRENGTHS = {field.name: tf.TensorSpec((), tf.float32) for field in fields(Strengths)}
_STRENGTHS["views"] = tf.TensorSpec((NUM_VIEWS - 1,), tf.float32)


# Compiled once for every number of items, labels and features: its many small steps take longer one by one.
@tf.function(  # type: ignore[untyped-decorator]  # TensorFlow has no types
    input_signature=[
        tf.TensorSpec((None, None), tf.float32),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None, None), tf.float32),
        _STRENGTHS,
    ],
    autograph=False,
)
def _fit(
    features: tf.Tensor, targets: tf.Tensor, prior: tf.Tensor, strengths: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    items = SupportSet(features, targets, tf.ones_like(features[:, 0]), tf.ones_like(prior[0]))
    return vars(fit_strengths(items, prior, Strengths(**strengths)))


def _views(items: SupportSet, strengths: Strengths) -> tuple[float, ...]:
    """The weights of the views after the first; none for words."""
    if not items.is_independent:
        return ()
    return tuple(float(weight) for weight in np.ravel(strengths.views.numpy()))


def _regress(items: SupportSet, prior: np.ndarray, ridge: float, views: tuple[float, ...]) -> np.ndarray:
    """``plain_ridge.regress`` of one task in NumPy: TensorFlow's many small steps take longer one by one.

    ``prior``: α P, ``(width + 1, C)``, zero for all views but the first. Where items outnumber features their
    labels are not written out, but summed: items × labels would be many. Of words the constant, which they do
    not learn from, still takes its part of the prior's scores.
    """
    targets, mask, width, num_labels = items.targets.numpy(), items.mask.numpy(), *prior.shape
    roots = np.append(_roots(views, width - 1), np.float32(1.0))
    basis = mask[:, None] * items.basis.numpy()
    basis *= roots
    constant = np.zeros_like(mask) if items.is_independent else mask
    if len(basis) < width:
        one_hot = (targets[:, None] == np.arange(num_labels)).astype(np.float32)
        centred = one_hot - np.float32(1 / num_labels)
        residual = mask[:, None] * centred - basis @ prior - np.outer(constant, prior[-1])
        moved = basis.T @ _solve(basis @ basis.T, residual, ridge)
    else:
        labels = csr_array((mask, (targets, np.arange(len(targets)))), (num_labels, len(targets)))
        sums, gram = (labels @ basis).T, basis.T @ basis
        of_prior = gram @ prior + np.outer(basis.T @ constant, prior[-1])
        moved = _solve(gram, sums - sums.mean(axis=1, keepdims=True) - of_prior, ridge)
    regressed: np.ndarray = prior + roots[:, None] * moved
    return regressed


def _roots(views: tuple[float, ...], width: int) -> np.ndarray:
    """The root of each feature's weight in the kernel, float32 ``(width,)``."""
    roots = np.sqrt(np.asarray([1.0, *views], np.float32))
    return np.repeat(roots, width // len(roots))


def _solve(gram: np.ndarray, right: np.ndarray, ridge: float) -> np.ndarray:
    """``(gram + λI)⁻¹ right``."""
    solved: np.ndarray = cho_solve(cho_factor(gram + ridge * np.eye(len(gram), dtype=gram.dtype)), right)
    return solved


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
