"""Adam whose step reads and writes every weight once.

Keras computes Adam's step by some ten operations on each variable, each of which reads and writes arrays as
large as the variable. With millions of weights that costs more than the arithmetic. TensorFlow has one
operation for the whole step, which these classes call. Everything else is Keras's own: the learning rate, the
weight decay, the names of the variables in checkpoints.
"""

from __future__ import annotations

import keras
import tensorflow as tf


def _fused_step(
    self: keras.optimizers.Optimizer, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
) -> None:
    """Move one variable and its two moments, as ``keras.optimizers.Adam`` does without ``amsgrad``.

    Args:
        self: The optimizer.
        gradient: Of the shape of ``variable``, and not sparse.
        variable: A trainable variable; with several replicas, the one of a replica.
        learning_rate: A scalar.
    """
    dtype = variable.dtype
    step = tf.cast(self.iterations + 1, dtype)
    first, second = tf.cast(self.beta_1, dtype), tf.cast(self.beta_2, dtype)
    index = self._get_variable_index(variable)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=self._momentums[index].value.handle,
        v=self._velocities[index].value.handle,
        beta1_power=first**step,
        beta2_power=second**step,
        lr=tf.cast(learning_rate, dtype),
        beta1=first,
        beta2=second,
        epsilon=tf.cast(self.epsilon, dtype),
        grad=tf.cast(gradient, dtype),
    )


class FusedAdam(keras.optimizers.Adam):  # type: ignore[misc]
    """Adam."""

    update_step = _fused_step


class FusedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """Adam with decoupled weight decay."""

    update_step = _fused_step
