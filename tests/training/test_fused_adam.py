"""The fused step of Adam against the step of Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from metamapping.training.fused_adam import FusedAdam, FusedAdamW

RATES = (0.1, 0.03, 0.2, 0.05)


def trained(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
    """The variables and all that the optimizer keeps of them after steps at different rates."""
    rng = np.random.default_rng(3)
    variables = [keras.Variable(rng.normal(size=shape)) for shape in ((4, 3), (5,))]
    optimizer.build(variables)

    @tf.function
    def step(gradients: list[tf.Tensor]) -> None:
        optimizer.apply(gradients, variables)

    for rate in RATES:
        optimizer.learning_rate = rate
        step([tf.constant(rng.normal(size=v.shape), tf.float32) for v in variables])
    return [v.numpy() for v in [*variables, *optimizer.variables]]


@pytest.mark.parametrize(
    ("fused", "reference"),
    [
        (FusedAdam(), keras.optimizers.Adam()),
        (FusedAdamW(weight_decay=0.3), keras.optimizers.AdamW(weight_decay=0.3)),
    ],
    ids=["Adam", "AdamW"],
)
def test_weights_and_moments_are_those_of_keras(
    fused: keras.optimizers.Optimizer, reference: keras.optimizers.Optimizer
) -> None:
    ours, theirs = trained(fused), trained(reference)
    assert len(ours) == len(theirs) >= 2 + 2 * 2
    for one, other in zip(ours, theirs, strict=True):
        # The operation subtracts the decays from one in float32, Keras in float64.
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4 * min(RATES))


def test_the_same_steps_give_the_same_bits() -> None:
    for one, other in zip(trained(FusedAdam()), trained(FusedAdam()), strict=True):
        np.testing.assert_array_equal(one, other)
