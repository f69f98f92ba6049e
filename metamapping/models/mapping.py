"""The mapping: M = Wᵀx + b, one shared space for the inputs and the outputs of every task.

``MetaMapping`` holds what is meta-learned: the prior ``W₀, b₀``, the label map, the vector of
NER's "outside", the prior's weight α, the ridge λ and the scale τ. ``compute_mapping`` is the
inner loop in closed form: ridge regression of one task, shrunk towards the prior.

Notation: ``d`` features, ``dim`` of the shared space, ``N`` items, ``C`` labels; leading axes are
splits or episodes. ``H`` is the features with a constant 1 appended, ``(N, d + 1)``.
"""

from __future__ import annotations

import keras
import tensorflow as tf


class MetaMapping(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The meta-learned weights on top of the encoder."""

    def __init__(self, feature_dim: int, *, name: str = "mapping") -> None:
        super().__init__(name=name)
        d = feature_dim
        # Identities: before any training a text's vector is its feature, a label's that of its name.
        self.prior_kernel = self.add_weight((d, d), initializer="identity", name="prior_kernel")
        self.prior_bias = self.add_weight((d,), initializer="zeros", name="prior_bias")
        self.label_map = self.add_weight((d, d), initializer="identity", name="label_map")
        self.outside = self.add_weight((d,), initializer="zeros", name="outside")
        self.alpha = self.add_weight((), initializer=_constant(0.5), name="alpha")
        self.log_ridge = self.add_weight((), initializer=_log(1.0), name="log_ridge")
        self.log_scale = self.add_weight((), initializer=_log(10.0), name="log_scale")
        self.built = True

    @property
    def ridge(self) -> tf.Tensor:
        """λ, a positive scalar."""
        return tf.exp(tf.convert_to_tensor(self.log_ridge))

    @property
    def scale(self) -> tf.Tensor:
        """τ, a positive scalar."""
        return tf.exp(tf.convert_to_tensor(self.log_scale))

    def label_vectors(self, names: tf.Tensor, is_outside: tf.Tensor, label_mask: tf.Tensor) -> tf.Tensor:
        """g(c): the names' features mapped, centred over the task's labels, at unit length.

        ``names``: ``(C, d)``. ``is_outside``: ``(C,)``. ``label_mask``: ``(..., C)``, the labels of
        each task. Returns ``(..., C, dim)``, zero where the mask is.
        """
        outside = is_outside[:, None]
        mapped = tf.matmul(names, self.label_map) * (1.0 - outside) + self.outside * outside
        mask = label_mask[..., None]
        count = tf.maximum(tf.reduce_sum(mask, axis=-2, keepdims=True), 1.0)
        mean = tf.reduce_sum(mapped * mask, axis=-2, keepdims=True) / count
        return tf.math.l2_normalize((mapped - mean) * mask, axis=-1)

    def prior(self, label_vectors: tf.Tensor) -> tf.Tensor:
        """The prior as weights of scores, ``[W₀; b₀] Gᵀ``: ``(..., d + 1, C)``."""
        stacked = tf.concat([self.prior_kernel, self.prior_bias[None, :]], axis=0)
        return tf.einsum("fm,...cm->...fc", stacked, label_vectors)


def centred_targets(targets: tf.Tensor, label_mask: tf.Tensor) -> tf.Tensor:
    """Y: one-hot labels, centred over the labels of the task.

    ``targets``: int ``(..., N)``. ``label_mask``: ``(..., C)``. Returns ``(..., N, C)``.
    """
    one_hot = tf.one_hot(targets, label_mask.shape[-1], dtype=label_mask.dtype)
    count = tf.maximum(tf.reduce_sum(label_mask, axis=-1, keepdims=True), 1.0)
    return (one_hot - (1.0 / count)[..., None, :]) * label_mask[..., None, :]


def compute_mapping(
    features: tf.Tensor,
    targets: tf.Tensor,
    *,
    support: tf.Tensor,
    prior: tf.Tensor,
    alpha: tf.Tensor,
    ridge: tf.Tensor,
) -> tf.Tensor:
    """The mapping of a task from its support set, as weights of scores ``(..., d + 1, C)``.

    ``argmin_V Σ_i s_i ‖h_i V − y_i‖² + λ ‖V − α P‖²`` for support ``s``, which is
    ``α P + Hᵀ (S H Hᵀ S + λI)⁻¹ S (Y − α H P)``; solved in this dual form, or in the primal where
    items outnumber features. With no support it is ``α P``; there α is taken as 1: zero-shot.

    ``features``: ``(..., N, d)``. ``targets``: ``(..., N, C)``, centred. ``support``: ``(..., N)``,
    1 for items of the support set. ``prior``: P, ``(..., d + 1, C)``. Leading axes broadcast.
    Scores of new items are ``score(features, weights)``.
    """
    has_support = tf.reduce_any(support > 0, axis=-1)[..., None, None]
    prior = tf.where(has_support, alpha, tf.ones_like(alpha)) * prior
    H = _with_constant(features)
    mask = support[..., None]
    residual = mask * (targets - tf.matmul(H, prior))
    num_items, num_features = H.shape[-2], H.shape[-1]
    if num_items <= num_features:
        gram = tf.matmul(H, H, transpose_b=True) * mask * tf.linalg.matrix_transpose(mask)
        dual = _solve(gram, residual, ridge)
        return prior + tf.matmul(H, mask * dual, transpose_a=True)
    masked = mask * H
    gram = tf.matmul(masked, masked, transpose_a=True)
    return prior + _solve(gram, tf.matmul(masked, residual, transpose_a=True), ridge)


def score(features: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """``[x, 1] V``: scores ``(..., N, C)`` of features ``(..., N, d)``."""
    return tf.matmul(features, weights[..., :-1, :]) + weights[..., -1:, :]


def _with_constant(features: tf.Tensor) -> tf.Tensor:
    return tf.concat([features, tf.ones_like(features[..., :1])], axis=-1)


def _solve(gram: tf.Tensor, right: tf.Tensor, ridge: tf.Tensor) -> tf.Tensor:
    """``(gram + λI)⁻¹ right`` by one Cholesky factor."""
    shifted = gram + ridge * tf.eye(gram.shape[-1], dtype=gram.dtype)
    factor = tf.linalg.cholesky(shifted)
    batch_shape = tf.broadcast_dynamic_shape(tf.shape(factor)[:-2], tf.shape(right)[:-2])
    factor = tf.broadcast_to(factor, tf.concat([batch_shape, tf.shape(factor)[-2:]], axis=0))
    right = tf.broadcast_to(right, tf.concat([batch_shape, tf.shape(right)[-2:]], axis=0))
    return tf.linalg.cholesky_solve(factor, right)


def _constant(value: float) -> keras.initializers.Initializer:
    return keras.initializers.Constant(value)


def _log(value: float) -> keras.initializers.Initializer:
    return keras.initializers.Constant(float(tf.math.log(value)))
