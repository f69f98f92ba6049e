"""Loss scaling for mixed float16, in which small gradients would underflow to zero.

The loss is multiplied by the scale before it is differentiated (Micikevicius et al., "Mixed Precision
Training", ICLR 2018). Where a gradient overflows, the scale is halved and the step is skipped; after
``GROWTH_STEPS`` steps without an overflow it is doubled. Keras' own loss scaling wraps a single optimizer
together with its gradient clipping; here two optimizers share one gradient norm.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

INITIAL, GROWTH_STEPS = 2.0**15, 2_000


class LossScale:
    """The factor on the loss, at least 1, and the number of steps since it last changed."""

    def __init__(self) -> None:
        self.value = keras.Variable(INITIAL, trainable=False, dtype="float32", name="loss_scale")
        self.good_steps = keras.Variable(0, trainable=False, dtype="int32", name="loss_scale_steps")

    @property
    def variables(self) -> list[keras.Variable]:
        """The state that a checkpoint holds."""
        return [self.value, self.good_steps]

    def guard(
        self, is_finite: tf.Tensor, apply: Callable[[], tf.Tensor], *, otherwise: tf.Tensor
    ) -> tf.Tensor:
        """Take a step if the gradients are finite, or if the scale cannot be lowered any further.

        Args:
            is_finite: Whether the gradients are finite, a bool scalar.
            apply: Takes the step and returns a scalar.
            otherwise: The result if the step is skipped, a scalar of the same dtype.

        Returns:
            The result of ``apply``, or ``otherwise``.
        """

        def good() -> tf.Tensor:
            result = apply()
            steps = self.good_steps.value + 1
            is_due = steps >= GROWTH_STEPS
            self.value.assign(tf.where(is_due, self.value.value * 2.0, self.value.value))
            self.good_steps.assign(tf.where(is_due, 0, steps))
            return result

        def overflow() -> tf.Tensor:
            self.value.assign(self.value.value / 2.0)
            self.good_steps.assign(0)
            return tf.identity(otherwise)

        return tf.cond(is_finite | (self.value.value <= 1.0), good, overflow)
