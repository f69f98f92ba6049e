"""Closed form: computes a task's mapping as plain arrays from its support.

The result is that of the model's solver (``models.solvers``). For ridge regression the last step is
computed in NumPy and SciPy (``ridge_regression``): for one task, TensorFlow's many small operations take
longer than the computation itself, and NumPy can sum over labels without a dense one-hot matrix.

    solution = solve(model.mapping, name_features, is_outside, support)
    scores = features @ solution.weights[:-1] + solution.weights[-1]

Notation: ``N`` items, ``C`` labels, ``d`` the width of one view, ``width`` that of all views; ``H`` the
features with a constant 1 appended; α the weight of the prior, λ the ridge.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import tensorflow as tf

from metamapping.adaptation.algebra.fitting_subset import fitting_subset
from metamapping.adaptation.algebra.ridge_regression import regress
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Support
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers import SupportSet
from metamapping.models.solvers.fitted_ridge import fit_hyperparameters
from metamapping.models.solvers.hyperparameters import Hyperparameters
from metamapping.models.solvers.plain_ridge import plain_ridge
from metamapping.models.solvers.support_set import balance_words
from metamapping.models.solvers.views import pad_to_views
from metamapping.models.solvers.word_ridge import fit_word_hyperparameters
from metamapping.models.view_layout import NUM_VIEWS


def solve(
    mapping: MetaMapping, name_features: np.ndarray, is_outside: np.ndarray, support: Support
) -> Solution:
    """Compute the mapping of a task.

    Args:
        mapping: The meta-learned mapping.
        name_features: Float32 ``(C, d)``, features of the label names.
        is_outside: Bool ``(C,)``, true for the label "outside" of ``ner``.
        support: The task's examples. Without any, the result is the prior (zero-shot).
    """
    num_labels = len(name_features)
    outside = tf.constant(is_outside, tf.float32)
    vectors = mapping.label_vectors(tf.constant(name_features), outside, tf.ones(num_labels))
    prior = mapping.prior(vectors)
    is_ner = bool(is_outside.any())
    items, hyperparameters = _support_set(support, num_labels, is_ner), mapping.hyperparameters
    wide = pad_to_views(prior, items)
    if not len(support.features):
        views = _views(items, hyperparameters)
        return Solution(wide.numpy(), wide.numpy(), float(hyperparameters.ridge), views)
    if mapping.solver not in ("ridge", "plain-ridge"):
        weights = mapping.compute_mapping(items, prior)
        return Solution(weights.numpy(), wide.numpy(), None, _views(items, hyperparameters))
    if is_ner:
        items, hyperparameters = balance_words(items, hyperparameters)
        if mapping.solver == "ridge":
            hyperparameters = _fit_words(support, items, wide, hyperparameters)
    elif mapping.solver == "ridge":
        subset, labels = fitting_subset(support, num_labels)
        fitted = _fit(
            subset.features, subset.targets, tf.gather(prior, labels, axis=1), vars(hyperparameters)
        )
        hyperparameters = Hyperparameters(**fitted)
    alpha, ridge = float(tf.squeeze(hyperparameters.alpha)), float(tf.squeeze(hyperparameters.ridge))
    balance = items.mask.numpy() if is_ner else None
    weighted_prior, views = alpha * wide.numpy(), _views(items, hyperparameters)
    return Solution(regress(support, weighted_prior, ridge, views, balance), weighted_prior, ridge, views)


def solve_episodes(mapping: MetaMapping, items: SupportSet, prior: tf.Tensor) -> list[Solution]:
    """Compute the mappings of many tasks of texts at once, all of one size.

    Args:
        mapping: The meta-learned mapping.
        items: The support sets, features ``(num_episodes, N, num_views * d)`` without masked items.
        prior: P of each episode's labels, ``(num_episodes, d + 1, C)``.

    Returns:
        What ``solve`` returns, for each episode.
    """
    hyperparameters, num_episodes = mapping.hyperparameters, len(items.features)
    wide = pad_to_views(prior, items)
    if mapping.solver != "ridge" or not items.features.shape[1]:
        weights = mapping.compute_mapping(items, prior).numpy()
        return [Solution(weights[i], wide[i].numpy(), None) for i in range(num_episodes)]
    fitted = fit_hyperparameters(items, prior, hyperparameters)
    weights = plain_ridge(items, prior, fitted).numpy()
    ones = tf.ones((num_episodes, 1, 1))
    alphas, ridges = (ones * fitted.alpha).numpy().ravel(), (ones * fitted.ridge).numpy().ravel()
    views = (ones * fitted.views).numpy()[:, 0]
    return [
        Solution(
            weights[i], alphas[i] * wide[i].numpy(), float(ridges[i]), tuple(float(view) for view in views[i])
        )
        for i in range(num_episodes)
    ]


def _fit_words(
    support: Support, items: SupportSet, prior: tf.Tensor, hyperparameters: Hyperparameters
) -> Hyperparameters:
    """The learned ``hyperparameters`` with the α and λ that fit the sentences of a ``ner`` task."""
    alpha, ridge = fit_word_hyperparameters(
        support.features,
        support.targets,
        support.offsets,
        items.mask.numpy(),
        prior.numpy(),
        alpha=float(hyperparameters.alpha),
        alpha_spread=float(hyperparameters.alpha_spread),
        ridge=float(hyperparameters.ridge),
        inverse_temperature=float(hyperparameters.inverse_temperature),
    )
    return replace(
        hyperparameters, alpha=tf.constant(alpha, tf.float32), ridge=tf.constant(ridge, tf.float32)
    )


# One for each hyperparameter, by name.
_HYPERPARAMETERS = {field.name: tf.TensorSpec((), tf.float32) for field in fields(Hyperparameters)}
_HYPERPARAMETERS["views"] = tf.TensorSpec((NUM_VIEWS - 1,), tf.float32)


# Compiled once for all numbers of items, labels and features: run eagerly, its many small operations take
# longer.
@tf.function(  # type: ignore[untyped-decorator]  # TensorFlow has no types
    input_signature=[
        tf.TensorSpec((None, None), tf.float32),
        tf.TensorSpec((None,), tf.int32),
        tf.TensorSpec((None, None), tf.float32),
        _HYPERPARAMETERS,
    ],
    autograph=False,
)
def _fit(
    features: tf.Tensor, targets: tf.Tensor, prior: tf.Tensor, hyperparameters: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    items = SupportSet(features, targets, tf.ones_like(features[:, 0]), tf.ones_like(prior[0]))
    return vars(fit_hyperparameters(items, prior, Hyperparameters(**hyperparameters)))


def _views(items: SupportSet, hyperparameters: Hyperparameters) -> tuple[float, ...]:
    """The kernel weights of the views after the first; empty for words."""
    if not items.is_independent:
        return ()
    return tuple(float(weight) for weight in np.ravel(hyperparameters.views.numpy()))


def _support_set(support: Support, num_labels: int, is_ner: bool) -> SupportSet:
    return SupportSet(
        features=tf.constant(support.features),
        targets=tf.constant(support.targets, tf.int32),
        mask=tf.ones(len(support.targets)),
        label_mask=tf.ones(num_labels),
        is_independent=not is_ner,
    )
