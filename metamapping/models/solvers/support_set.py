"""What every solver takes: the items of one or many tasks, and the learned strengths.

Notation: ``d`` features, ``N`` items, ``C`` labels; leading axes are splits or episodes, and
broadcast. ``H`` is the features with a constant 1 appended, ``(..., N, d + 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import tensorflow as tf

WORD_BALANCE = 0.25


@dataclass(frozen=True)
class SupportSet:
    """Items with their labels.

    ``features``: ``(..., N, d)``. ``targets``: int ``(..., N)``, label slots. ``mask``: ``(..., N)``,
    1 for items of the support set. ``label_mask``: ``(..., C)``, 1 for labels of the task.
    ``is_independent``: false for the words of sentences, of which one says much about the next.
    """

    features: tf.Tensor
    targets: tf.Tensor
    mask: tf.Tensor
    label_mask: tf.Tensor
    is_independent: bool = True

    @property
    def H(self) -> tf.Tensor:
        """The features with a constant 1: ``(..., N, d + 1)``."""
        return with_constant(self.features)

    @property
    def basis(self) -> tf.Tensor:
        """What a ridge regression learns from: H, ``(..., N, d + 1)``, of words without the constant.

        Nearly all words are outside, which the constant would learn to say of every word.
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


@dataclass(frozen=True)
class Strengths:
    """What is learned about adapting, positive scalars.

    ``alpha``: α, the weight of the prior. ``ridge``: λ. ``scale``: τ, which makes scores logits.
    ``alpha_spread``, ``ridge_spread``: how far a task's own α and ln λ usually lie from these.
    ``word_ridge``: λ where the items are words. ``views``: the weight of each view of a text but the
    first, from 0 to 1; learned, the probability that it counts: ``(V - 1,)``, or ``(..., 1, V - 1)``.
    """

    alpha: tf.Tensor
    ridge: tf.Tensor
    scale: tf.Tensor
    alpha_spread: tf.Tensor
    ridge_spread: tf.Tensor
    word_ridge: tf.Tensor
    views: tf.Tensor


def of_words(support: SupportSet, strengths: Strengths) -> tuple[SupportSet, Strengths]:
    """Words weighted by how many there are of their label, to the power of −1/4; and their own λ.

    Nineteen of twenty words are outside of any entity, and a ridge regression would rather say so of
    all of them. The figures: docs/decisions/words.md. Weights are 1 in the mean, and stand in the mask
    as square roots, where they become those of the regression.
    """
    depth = support.label_mask.shape[-1]
    members = tf.one_hot(support.targets, depth, dtype=support.mask.dtype) * support.mask[..., None]
    count = tf.reduce_sum(members, axis=-2, keepdims=True)
    weights = tf.reduce_sum(members * tf.maximum(count, 1.0) ** -WORD_BALANCE, axis=-1)
    total = tf.maximum(tf.reduce_sum(weights, axis=-1, keepdims=True), 1e-9)
    weights *= tf.reduce_sum(support.mask, axis=-1, keepdims=True) / total
    # The root's gradient at zero is infinite; of what is masked none is wanted.
    is_there = weights > 0
    roots = tf.where(is_there, tf.sqrt(tf.where(is_there, weights, tf.ones_like(weights))), weights)
    return replace(support, mask=roots), replace(strengths, ridge=strengths.word_ridge)


def with_constant(features: tf.Tensor) -> tf.Tensor:
    """``[x, 1]``."""
    return tf.concat([features, tf.ones_like(features[..., :1])], axis=-1)


def score(features: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """``[x, 1] V``: scores ``(..., N, C)`` of features ``(..., N, d)``."""
    return tf.matmul(features, weights[..., :-1, :]) + weights[..., -1:, :]


def masked_logits(scores: tf.Tensor, label_mask: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """``τ`` times the scores ``(..., N, C)``, with labels outside of the task out of reach."""
    return scale * scores + (label_mask[..., None, :] - 1.0) * 1e9
