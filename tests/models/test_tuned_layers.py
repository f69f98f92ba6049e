"""The views of tuned layers for texts that share rows, against those of texts alone."""

import numpy as np
import pytest
import tensorflow as tf

from metamapping.models.tuned_layers import TunedLayers
from metamapping.tuning.lower_states import LowerStates
from tests.models.test_transformer_blocks import build

LENGTHS = [2, 12, 3, 4, 3, 7, 6]


def lower_states(layers):
    rng = np.random.default_rng(0)
    states = [rng.normal(size=(length, layers.dim)).astype(np.float16) for length in LENGTHS]
    return LowerStates(states, [np.r_[0.0, np.ones(length - 1)].astype(np.float32) for length in LENGTHS])


def views_and_gradients(layers, states, rows):
    weights = layers.to_tensors(layers.base)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        features = states.tensor(layers, weights, rows)
        loss = tf.reduce_sum(features[:, ::3] ** 3)
    return features.numpy(), [each.numpy() for each in tape.gradient(loss, weights)]


# The lower view is that of the states below, or of a block.
@pytest.mark.parametrize(("name", "num_layers"), [("Bert", 1), ("Roberta", 3), ("DistilBert", 3)])
def test_views_and_gradients_do_not_depend_on_the_texts_of_the_same_row(name, num_layers, monkeypatch):
    layers = TunedLayers(build(name), num_layers)
    assert layers.can_pack
    states, rows = lower_states(layers), [3, 0, 1, 5, 6]
    packed = views_and_gradients(layers, states, rows)
    monkeypatch.setattr(layers, "can_pack", False)
    alone = views_and_gradients(layers, states, rows)
    np.testing.assert_allclose(packed[0], alone[0], atol=1e-5)
    for ours, theirs in zip(packed[1], alone[1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_texts_share_rows_without_much_padding():
    layers = TunedLayers(build("Bert"), 1)
    states = lower_states(layers)
    below, text_of, places, _ = states.packed(range(len(LENGTHS)))
    assert text_of.size < 1.2 * sum(LENGTHS)
    assert np.bincount(text_of.ravel(), minlength=len(LENGTHS) + 1)[1:].tolist() == LENGTHS
    flat = below.reshape(-1, layers.dim)
    for i, length in enumerate(LENGTHS):
        np.testing.assert_array_equal(flat[places[i, :length]], states.states[i].astype(np.float32))


def test_layers_with_other_attention_do_not_share_rows():
    assert not TunedLayers(build("GPT2"), 1).can_pack
