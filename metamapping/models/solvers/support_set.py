"""The support set of one task or of many: what every solver computes a mapping from.

Notation: ``d`` features, ``N`` items, ``C`` labels; leading axes are splits or episodes, and
broadcast. ``H`` is the features with a constant 1 appended, ``(..., N, d + 1)``.

    support = SupportSet(features, targets, mask, label_mask)
    logits = masked_logits(score(features, weights), label_mask, hyperparameters.inverse_temperature)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import tensorflow as tf

from metamapping.models.solvers.hyperparameters import Hyperparameters
from metamapping.models.solvers.solver_constants import WORD_BALANCE


@dataclass(frozen=True)
class SupportSet:
    """Items with their labels.

    Attributes:
        features: Float ``(..., N, d)``.
        targets: Label slots, int ``(..., N)``; for ``column_ridge`` ones and zeros, float ``(..., N, C)``.
        mask: Float ``(..., N)``, 1 for items of the support set, 0 for others.
        label_mask: Float ``(..., C)``, 1 for labels of the task, 0 for others.
        is_independent: False for the words of sentences, which predict one another.
    """

    features: tf.Tensor
    targets: tf.Tensor
    mask: tf.Tensor
    label_mask: tf.Tensor
    is_independent: bool = True

    @property
    def H(self) -> tf.Tensor:
        """The features with a constant 1: ``(..., N, d + 1)``."""
        return append_constant(self.features)

    @property
    def basis(self) -> tf.Tensor:
        """What a ridge regression learns from, ``(..., N, d + 1)``: H, for words with 0 instead of 1.

        Nearly all words are "outside". A regression with a constant would learn to predict that for every
        word.
        """
        if self.is_independent:
            return self.H
        return tf.concat([self.features, tf.zeros_like(self.features[..., :1])], axis=-1)

    @property
    def is_empty(self) -> tf.Tensor:
        """Whether a task has no example: bool ``(..., 1, 1)``."""
        return tf.logical_not(tf.reduce_any(self.mask > 0, axis=-1))[..., None, None]

    @property
    def Y(self) -> tf.Tensor:
        """One-hot labels, centred over the labels of the task: ``(..., N, C)``."""
        one_hot = tf.one_hot(self.targets, tf.shape(self.label_mask)[-1], dtype=self.label_mask.dtype)
        count = tf.maximum(tf.reduce_sum(self.label_mask, axis=-1, keepdims=True), 1.0)
        return (one_hot - (1.0 / count)[..., None, :]) * self.label_mask[..., None, :]


def balance_words(
    support: SupportSet, hyperparameters: Hyperparameters
) -> tuple[SupportSet, Hyperparameters]:
    """A support set of words with balanced labels, and the hyperparameters of words.

    Nineteen of twenty words are outside of any entity, so an unweighted ridge regression predicts
    "outside" nearly everywhere. Each word is weighted by the count of its label to the power of −1/4
    (docs/experiments/words.md), with a mean weight of 1.

    Args:
        support: Words, with a mask of zeros and ones.
        hyperparameters: As learned.

    Returns:
        The support set whose mask holds the square roots of the weights, since a ridge regression squares
        its mask; and the hyperparameters with ``word_ridge`` as their λ.
    """
    depth = support.label_mask.shape[-1]
    members = tf.one_hot(support.targets, depth, dtype=support.mask.dtype) * support.mask[..., None]
    count = tf.reduce_sum(members, axis=-2, keepdims=True)
    weights = tf.reduce_sum(members * tf.maximum(count, 1.0) ** -WORD_BALANCE, axis=-1)
    total = tf.maximum(tf.reduce_sum(weights, axis=-1, keepdims=True), 1e-9)
    weights *= tf.reduce_sum(support.mask, axis=-1, keepdims=True) / total
    # The square root has an infinite gradient at zero, which times 0 is NaN: masked items bypass it.
    is_present = weights > 0
    roots = tf.where(is_present, tf.sqrt(tf.where(is_present, weights, tf.ones_like(weights))), weights)
    return replace(support, mask=roots), replace(hyperparameters, ridge=hyperparameters.word_ridge)


def append_constant(features: tf.Tensor) -> tf.Tensor:
    """Append a constant 1 to features: ``[x, 1]``.

    Args:
        features: Float ``(..., N, d)``.

    Returns:
        Float ``(..., N, d + 1)``.
    """
    return tf.concat([features, tf.ones_like(features[..., :1])], axis=-1)


def score(features: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The scores of items, ``[x, 1] V``.

    Args:
        features: ``(..., N, d)``.
        weights: V, ``(..., d + 1, C)``.

    Returns:
        ``(..., N, C)``.
    """
    return tf.matmul(features, weights[..., :-1, :]) + weights[..., -1:, :]


def masked_logits(scores: tf.Tensor, label_mask: tf.Tensor, inverse_temperature: tf.Tensor) -> tf.Tensor:
    """The logits of scores, about −1e9 for labels that are not part of the task.

    Args:
        scores: ``(..., N, C)``.
        label_mask: ``(..., C)``, 1 for labels of the task.
        inverse_temperature: τ, the factor of the scores.

    Returns:
        ``(..., N, C)``.
    """
    return inverse_temperature * scores + (label_mask[..., None, :] - 1.0) * 1e9
