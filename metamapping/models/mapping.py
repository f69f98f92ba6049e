"""The mapping: M = Wᵀx + b, one shared space for the inputs and the outputs of every task.

``MetaMapping`` holds what is meta-learned besides the encoder: the prior ``W₀, b₀``, the label map, the
vector of NER's "outside", the vectors of word shapes, and the adaptation hyperparameters.
``compute_mapping`` is the inner loop: by default ridge regression of one task in closed form, shrunk towards
the prior.

Notation: ``d`` features, ``dim`` of the shared space, ``N`` items, ``C`` labels; leading axes are
splits or episodes.

    mapping = MetaMapping(encoder.dim)
    prior = mapping.prior(mapping.label_vectors(names, is_outside, label_mask))
    scores = score(features, mapping.compute_mapping(support_set, prior))
"""

from __future__ import annotations

import keras
import tensorflow as tf

from metamapping.config.training import SolverName
from metamapping.corpus.word_shapes import EDGE, WINDOW
from metamapping.models.solvers import SOLVERS, Hyperparameters, SupportSet
from metamapping.models.solvers.column_ridge import column_ridge
from metamapping.models.solvers.hyperparameters import initial_vector, vector_length
from metamapping.models.view_layout import NUM_VIEWS


class MetaMapping(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """The meta-learned weights on top of the encoder.

    Args:
        feature_dim: d, the width of one view of the encoder.
        solver: How a task's mapping is computed from its support set.
        name: Name of the layer; the names of its weights in checkpoints begin with it.
    """

    def __init__(self, feature_dim: int, *, solver: SolverName = "ridge", name: str = "mapping") -> None:
        super().__init__(name=name)
        self.solver = solver
        d = feature_dim
        # Identities: before any training a text's vector is its feature, a label's the feature of its name.
        self.prior_kernel = self.add_weight((d, d), initializer="identity", name="prior_kernel")
        self.prior_bias = self.add_weight((d,), initializer="zeros", name="prior_bias")
        self.label_map = self.add_weight((d, d), initializer="identity", name="label_map")
        self.outside = self.add_weight((d,), initializer="zeros", name="outside")
        # Zeros: before any training the shape of a word does not matter.
        self.word_shapes = self.add_weight((WINDOW, EDGE + 1, d), initializer="zeros", name="word_shapes")
        self.hyperparameter_vector = self.add_weight(
            (vector_length(NUM_VIEWS),),
            initializer=lambda shape, dtype=None: initial_vector(NUM_VIEWS, dtype),
            name="strength",  # the name in checkpoints and published folders
        )
        self.built = True

    @property
    def hyperparameters(self) -> Hyperparameters:
        """The learned adaptation hyperparameters."""
        return Hyperparameters.from_vector(tf.convert_to_tensor(self.hyperparameter_vector))

    @property
    def inverse_temperature(self) -> tf.Tensor:
        """The learned inverse temperature τ, a positive scalar."""
        return self.hyperparameters.inverse_temperature

    def add_word_shapes(self, words: tf.Tensor, shapes: tf.Tensor) -> tf.Tensor:
        """Features of words with the learned vectors of their shapes added to the first view.

        Args:
            words: ``(N, d)``, or several views concatenated.
            shapes: Int ``(N, 3)``, as ``corpus.word_shapes.windows_of`` returns them.

        Returns:
            As ``words``; the first view has unit length, the others are unchanged.
        """
        added = tf.add_n([tf.gather(self.word_shapes[i], shapes[:, i]) for i in range(WINDOW)])
        d = added.shape[-1]
        first = tf.math.l2_normalize(words[:, :d] + added, axis=-1)
        return tf.concat([first, words[:, d:]], axis=-1)

    def label_vectors(self, names: tf.Tensor, is_outside: tf.Tensor, label_mask: tf.Tensor) -> tf.Tensor:
        """g(c): the mapped features of the labels' names, centred over the task's labels, at unit length.

        Args:
            names: Features of the names, ``(C, d)``.
            is_outside: ``(C,)``, 1 for NER's "outside", whose vector is learned.
            label_mask: ``(..., C)``, 1 for the labels of each task.

        Returns:
            ``(..., C, dim)``, zero where the mask is zero.
        """
        outside = is_outside[:, None]
        mapped = tf.matmul(names, self.label_map) * (1.0 - outside) + self.outside * outside
        mask = label_mask[..., None]
        count = tf.maximum(tf.reduce_sum(mask, axis=-2, keepdims=True), 1.0)
        mean = tf.reduce_sum(mapped * mask, axis=-2, keepdims=True) / count
        # Equal names differ from their mean by rounding only, which must not be scaled up to unit length.
        return tf.math.l2_normalize((mapped - mean) * mask, axis=-1, epsilon=1e-8)

    def prior(self, label_vectors: tf.Tensor) -> tf.Tensor:
        """The prior P as weights of scores, ``[W₀; b₀] Gᵀ``.

        Args:
            label_vectors: G, ``(..., C, dim)``.

        Returns:
            ``(..., d + 1, C)``.
        """
        stacked = tf.concat([self.prior_kernel, self.prior_bias[None, :]], axis=0)
        return tf.einsum("fm,...cm->...fc", stacked, label_vectors)

    def compute_mapping(self, support: SupportSet, prior: tf.Tensor) -> tf.Tensor:
        """The mapping of each task from its support set, as weights V of scores.

        Args:
            support: The items of each task, with raw features ``(..., N, num_views * d)``.
            prior: P of the task's labels, ``(..., d + 1, C)``.

        Returns:
            V, ``(..., num_views * d + 1, C)``; new items have the scores ``score(x, V)``.
        """
        return SOLVERS[self.solver](support, prior, self.hyperparameters)

    def compute_column_mapping(self, support: SupportSet, prior: tf.Tensor) -> tf.Tensor:
        """The mapping of each task whose items have any number of labels, as weights V of scores.

        Args:
            support: The items of each task, with targets ``(..., N, C)`` of ones and zeros.
            prior: P of the task's labels, ``(..., d + 1, C)``.

        Returns:
            V, ``(..., num_views * d + 1, C)``.
        """
        return column_ridge(support, prior, self.hyperparameters)
