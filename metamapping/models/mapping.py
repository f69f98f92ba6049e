"""The mapping: M = Wᵀx + b, one shared space for the inputs and the outputs of every task.

``MetaMapping`` holds what is meta-learned: the prior ``W₀, b₀``, the label map, the vector of
NER's "outside", the prior's weight α, the ridge λ and the scale τ. ``compute_mapping`` is the
inner loop: by default in closed form, ridge regression of one task, shrunk towards the prior.

Notation: ``d`` features, ``dim`` of the shared space, ``N`` items, ``C`` labels; leading axes are
splits or episodes.
"""

from __future__ import annotations

import math

import keras
import tensorflow as tf

from metamapping.config.training import SolverName
from metamapping.corpus.word_shapes import EDGE, WINDOW
from metamapping.models.encoder import NUM_VIEWS
from metamapping.models.solvers import SOLVERS, Strengths, SupportSet

# How likely a view of a text counts, before any training.
VIEW = 0.2
# Adam steps all weights by the same size, which for a scalar is slow: this times faster.
STRENGTH_SPEED = 20.0


class MetaMapping(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The meta-learned weights on top of the encoder."""

    def __init__(self, feature_dim: int, *, solver: SolverName = "ridge", name: str = "mapping") -> None:
        super().__init__(name=name)
        self.solver = solver
        d = feature_dim
        # Identities: before any training a text's vector is its feature, a label's that of its name.
        self.prior_kernel = self.add_weight((d, d), initializer="identity", name="prior_kernel")
        self.prior_bias = self.add_weight((d,), initializer="zeros", name="prior_bias")
        self.label_map = self.add_weight((d, d), initializer="identity", name="label_map")
        self.outside = self.add_weight((d,), initializer="zeros", name="outside")
        # Zero before any training, when capitals say nothing.
        self.word_shapes = self.add_weight((WINDOW, EDGE + 1, d), initializer="zeros", name="word_shapes")
        # α, the logarithms of λ, τ, the spreads of α and ln λ, and the λ of words; the views' log-odds.
        shape = (6 + NUM_VIEWS - 1,)
        self.strength = self.add_weight(shape, initializer=_initial_strengths, name="strength")
        self.built = True

    @property
    def strengths(self) -> Strengths:
        """What is learned about adapting, positive scalars."""
        strength = STRENGTH_SPEED * tf.convert_to_tensor(self.strength)
        ridge, scale, alpha_spread, ridge_spread, word_ridge = tf.unstack(tf.exp(strength[1:6]))
        return Strengths(
            strength[0], ridge, scale, alpha_spread, ridge_spread, word_ridge, tf.sigmoid(strength[6:])
        )

    @property
    def scale(self) -> tf.Tensor:
        """τ, a positive scalar."""
        return self.strengths.scale

    def shaped(self, words: tf.Tensor, shapes: tf.Tensor) -> tf.Tensor:
        """Features of words with what their shapes add to the first view, at unit length: as ``words``.

        ``words``: ``(N, d)``, or views side by side. ``shapes``: int ``(N, 3)``, as
        ``corpus.word_shapes.windows_of`` gives them.
        """
        added = tf.add_n([tf.gather(self.word_shapes[i], shapes[:, i]) for i in range(WINDOW)])
        d = added.shape[-1]
        first = tf.math.l2_normalize(words[:, :d] + added, axis=-1)
        return tf.concat([first, words[:, d:]], axis=-1)

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
        # Equal names are told apart by rounding alone, which must not be scaled up to unit length.
        return tf.math.l2_normalize((mapped - mean) * mask, axis=-1, epsilon=1e-8)

    def prior(self, label_vectors: tf.Tensor) -> tf.Tensor:
        """The prior as weights of scores, ``[W₀; b₀] Gᵀ``: ``(..., d + 1, C)``."""
        stacked = tf.concat([self.prior_kernel, self.prior_bias[None, :]], axis=0)
        return tf.einsum("fm,...cm->...fc", stacked, label_vectors)

    def compute_mapping(self, support: SupportSet, prior: tf.Tensor) -> tf.Tensor:
        """The mapping of a task from its support set, as weights of scores ``(..., num_views * d + 1, C)``.

        ``prior``: of its labels, ``(..., d + 1, C)``. Scores of new items are ``score(x, weights)``.
        """
        return SOLVERS[self.solver](support, prior, self.strengths)


def _initial_strengths(shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
    alpha, positive = 0.5, (1.0, 10.0, 0.5, 1.1, 3.0)
    logarithms = [math.log(each) for each in positive]
    log_odds = [math.log(VIEW / (1 - VIEW))] * (NUM_VIEWS - 1)
    return tf.constant([alpha, *logarithms, *log_odds], dtype, shape=shape) / STRENGTH_SPEED
