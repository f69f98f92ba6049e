import numpy as np
import pytest
import tensorflow as tf

from metamapping.models.view_layout import NUM_VIEWS
from metamapping.tuning.lower_states import LowerStates

DIM = 4


class ToyLayers:
    """Layers that multiply by one weight, and whose views are sums of the states."""

    dim, can_pack = DIM, False

    def __init__(self):
        self.shapes = []

    def compiled_views(self, weights, states, mask, pool):
        self.shapes.append(states.shape)
        sums = tf.reduce_sum(weights[0] * states * pool[..., None], axis=1)
        return tf.tile(sums, [1, NUM_VIEWS])


@pytest.fixture
def states():
    rng = np.random.default_rng(0)
    lengths = [3, 90, 4, 3, 80, 5]
    return LowerStates(
        [rng.normal(size=(length, DIM)).astype(np.float16) for length in lengths],
        [np.ones(length, np.float32) for length in lengths],
    )


def test_features_of_some_texts_come_in_their_order_and_without_much_padding(states):
    layers, rows = ToyLayers(), [4, 0, 2, 1, 3]
    features = states.tensor(layers, [tf.constant(2.0)], rows).numpy()
    sums = np.array([2.0 * states.states[row].astype(np.float32).sum(axis=0) for row in rows])
    np.testing.assert_allclose(features, np.tile(sums, NUM_VIEWS), rtol=1e-5)
    assert sum(count * length for count, length, _ in layers.shapes) < 80 + 90 + 3 * 5 + 32


def test_gradients_flow_through_the_features_of_all_batches(states):
    weight = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(weight)
        total = tf.reduce_sum(states.tensor(ToyLayers(), [weight], range(len(states))))
    expected = NUM_VIEWS * sum(each.astype(np.float32).sum() for each in states.states)
    assert float(tape.gradient(total, weight)) == pytest.approx(expected, rel=1e-4)
