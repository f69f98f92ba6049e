"""Adaptation hyperparameters: what meta-training learned about how to adapt to a task.

They are trained and stored as one vector, in checkpoints and published folders alike: one variable, so that
the global norm of the gradient stays that of earlier releases. ``vector_layout`` defines their positions.

    vector = initial_vector(num_views=3)         # float32 (8,), what a new mapping starts from
    Hyperparameters.from_vector(vector).ridge          # λ, a positive scalar
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from metamapping.models.solvers.vector_layout import ALPHA_GRID as ALPHA_GRID
from metamapping.models.solvers.vector_layout import INITIAL_ALPHA as INITIAL_ALPHA
from metamapping.models.solvers.vector_layout import SPEEDUP as SPEEDUP
from metamapping.models.solvers.vector_layout import VectorIndex as VectorIndex
from metamapping.models.solvers.vector_layout import initial_values
from metamapping.models.solvers.vector_layout import vector_length as vector_length


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of an adaptation, learned or fitted to a task.

    Learned ones are scalars; fitted ones may have leading axes, ``(..., 1, 1)``, one value per task.

    Attributes:
        alpha: α, the weight of the prior.
        ridge: λ of a ridge regression over texts, positive.
        inverse_temperature: τ, which turns scores into logits, positive.
        alpha_spread: Standard deviation of tasks' own α around ``alpha``, positive.
        ridge_spread: Standard deviation of tasks' own ln λ around that of ``ridge``, positive.
        word_ridge: λ where the items are words, positive.
        views: Weight in the kernel of each view of a text after the first, from 0 to 1: ``(V - 1,)``, or
            ``(..., 1, V - 1)``. The learned value is the probability that the view helps.
    """

    alpha: tf.Tensor
    ridge: tf.Tensor
    inverse_temperature: tf.Tensor
    alpha_spread: tf.Tensor
    ridge_spread: tf.Tensor
    word_ridge: tf.Tensor
    views: tf.Tensor

    @classmethod
    def from_vector(cls, vector: tf.Tensor) -> Hyperparameters:
        """Decode a trained vector.

        Args:
            vector: Float ``(V + 5,)`` for V views of a text, in the layout of ``VectorIndex``.
        """
        vector = SPEEDUP * vector
        # One exponential of all five: a scalar's may differ from a vector's in the last bit.
        positive = tf.exp(vector[VectorIndex.LOG_RIDGE : VectorIndex.VIEWS])
        ridge, inverse_temperature, alpha_spread, ridge_spread, word_ridge = tf.unstack(positive)
        return cls(
            alpha=vector[VectorIndex.ALPHA],
            ridge=ridge,
            inverse_temperature=inverse_temperature,
            alpha_spread=alpha_spread,
            ridge_spread=ridge_spread,
            word_ridge=word_ridge,
            views=tf.sigmoid(vector[VectorIndex.VIEWS :]),
        )


def initial_vector(num_views: int, dtype: str | None = None) -> tf.Tensor:
    """The vector before any training.

    Args:
        num_views: Views of a text that the encoder computes.
        dtype: Data type of the result; ``None`` for float32.

    Returns:
        ``(vector_length(num_views),)``.
    """
    values = initial_values(num_views)
    return tf.constant(values, dtype, shape=(vector_length(num_views),)) / SPEEDUP
