"""Loss scale: float16 loses small gradients, so the loss is multiplied before it is differentiated.

Micikevicius et al., "Mixed Precision Training", 2018. The scale is halved where a gradient overflows,
and that step left out; it is doubled after ``GROWTH_STEPS`` steps without. Keras' own wraps one
optimizer and its clipping; here two share one norm.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

INITIAL, GROWTH_STEPS = 2.0**15, 2_000


class LossScale:
    """What a loss is multiplied by, at least 1."""

    def __init__(self) -> None:
        self.value = keras.Variable(INITIAL, trainable=False, dtype="float32", name="loss_scale")
        self.good_steps = keras.Variable(0, trainable=False, dtype="int32", name="loss_scale_steps")

    @property
    def variables(self) -> list[keras.Variable]:
        """What a checkpoint keeps of it."""
        return [self.value, self.good_steps]

    def guard(
        self, is_finite: tf.Tensor, apply: Callable[[], tf.Tensor], *, otherwise: tf.Tensor
    ) -> tf.Tensor:
        """``apply()`` where the gradients are finite, or nothing lower is left to try."""

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
