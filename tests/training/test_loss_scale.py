"""A step whose gradients overflow is skipped and the loss scale halved, unless the scale is 1 already."""

import keras
import pytest
import tensorflow as tf

from metamapping.training.loss_scale import GROWTH_STEPS, INITIAL, LossScale


@pytest.fixture
def weight():
    return keras.Variable(0.0)


def step(scale, weight, is_finite):
    def apply():
        weight.assign_add(1.0)
        return tf.constant(7.0)

    return float(scale.guard(tf.constant(is_finite), apply, otherwise=tf.constant(3.0)))


def test_an_overflow_halves_the_scale_and_leaves_the_step_out(weight):
    scale = LossScale()
    assert step(scale, weight, False) == 3.0
    assert (float(scale.value), float(weight)) == (INITIAL / 2, 0.0)


def test_the_scale_doubles_after_enough_steps_without_an_overflow(weight):
    scale = LossScale()
    scale.good_steps.assign(GROWTH_STEPS - 2)
    step(scale, weight, True)
    assert float(scale.value) == INITIAL
    step(scale, weight, True)
    assert (float(scale.value), int(scale.good_steps), float(weight)) == (2 * INITIAL, 0, 2.0)


def test_at_a_scale_of_one_what_is_not_finite_is_no_overflow(weight):
    scale = LossScale()
    scale.value.assign(1.0)
    assert step(scale, weight, False) == 7.0
