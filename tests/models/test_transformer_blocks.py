"""Transformer blocks are found by structure in every kind of backbone, whatever KerasHub names them."""

import logging
import re

import keras
import keras_hub
import numpy as np
import pytest

from metamapping.episodes.label_space import Ragged
from metamapping.errors import ConfigError
from metamapping.models.backbones import freeze_lower_layers, num_frozen_layers
from metamapping.models.encoder import Encoder
from metamapping.models.transformer_blocks import block_outputs, transformer_blocks

SIZES = {"vocabulary_size": 30, "num_layers": 3, "hidden_dim": 8, "intermediate_dim": 12}
HEADS = {"num_heads": 2}
GROUPED = {"num_query_heads": 2, "num_key_value_heads": 1}
BACKBONES = {
    "Bert": (HEADS, "transformer_layer_{}"),
    "Roberta": (HEADS, "transformer_layer_{}"),
    "DistilBert": (HEADS, "transformer_layer_{}"),
    "GPT2": (HEADS, "transformer_layer_{}"),
    "Llama": (GROUPED, "transformer_layer_{}"),
    "Qwen": (GROUPED, "transformer_layer_{}"),
    "DebertaV3": (HEADS, "disentangled_attention_encoder_layer_{}"),
    "Gemma": (GROUPED | {"head_dim": 4}, "decoder_block_{}"),
    "FNet": ({}, "f_net_layer_{}"),
    "XLNet": (HEADS, "xlnet_encoder_{}"),
}


def build(name, **changes):
    return getattr(keras_hub.models, f"{name}Backbone")(**SIZES | BACKBONES[name][0] | changes)


def albert():
    return keras_hub.models.AlbertBackbone(**SIZES, **HEADS, embedding_dim=4)


@pytest.mark.parametrize("name", BACKBONES)
def test_blocks_are_those_of_the_backbone_from_the_first_to_the_last(name):
    backbone = build(name)
    assert [layer.name for layer in transformer_blocks(backbone)] == [
        BACKBONES[name][1].format(i) for i in range(3)
    ]
    assert [states.shape for states in block_outputs(backbone)] == [(None, None, 8)] * 3


@pytest.mark.parametrize("num_layers", [1, 2, 12])
@pytest.mark.parametrize("name", ["Bert", "Roberta", "DistilBert", "GPT2"])
def test_blocks_of_bert_and_gpt2_are_the_layers_named_transformer_layer(name, num_layers):
    backbone = build(name, num_layers=num_layers)
    named = [layer for layer in backbone.layers if re.fullmatch(r"transformer_layer_\d+", layer.name)]
    blocks = transformer_blocks(backbone)
    assert len(blocks) == num_layers
    assert all(block is layer for block, layer in zip(blocks, named, strict=True))
    assert all(a is b.output for a, b in zip(block_outputs(backbone), named, strict=True))


def test_a_shared_block_is_one_layer_with_an_output_for_each_call():
    backbone = albert()
    assert [layer.name for layer in transformer_blocks(backbone)] == ["group_0_inner_layer_0"]
    outputs = block_outputs(backbone)
    assert len({id(each) for each in outputs}) == 3
    assert outputs[-1] is backbone.output["sequence_output"]


@pytest.mark.parametrize("build_backbone", [albert, lambda: build("Gemma")], ids=["albert", "gemma"])
def test_the_lower_view_is_that_of_a_lower_layer(build_backbone):
    keras.utils.set_random_seed(0)
    encoder = Encoder(build_backbone())
    rows = Ragged.from_lists([[1, 5, 9, 7, 2]], np.int32)
    features = encoder.encode(rows, Ragged(np.zeros_like(rows.values), rows.offsets))
    last, lower, _ = np.split(features[0], 3)
    assert np.abs(last - lower).max() > 1e-3


def test_layers_of_other_backbones_can_be_frozen():
    backbone = build("DebertaV3")
    freeze_lower_layers(backbone, 1)
    assert num_frozen_layers(backbone) == 2
    assert [layer.name for layer in backbone.layers if layer.trainable and layer.weights] == [
        "disentangled_attention_encoder_layer_2"
    ]


def plain_backbone():
    """Embeddings and a dense layer: no transformer."""
    inputs = {
        name: keras.Input((None,), dtype="int32", name=name)
        for name in ("token_ids", "segment_ids", "padding_mask")
    }
    states = keras.layers.Dense(8)(keras.layers.Embedding(30, 8)(inputs["token_ids"]))
    return keras.Model(inputs, states)


def test_a_backbone_without_blocks_is_named_in_a_warning_and_repeats_its_last_layer(caplog):
    with caplog.at_level(logging.WARNING, "metamapping.models.encoder"):
        encoder = Encoder(plain_backbone())
    assert [record.getMessage() for record in caplog.records] == [
        "Functional has no transformer blocks that could be recognized: the lower views of texts and words "
        "repeat its last layer"
    ]
    rows = Ragged.from_lists([[1, 5, 2]], np.int32)
    features = encoder.encode(rows, Ragged(np.zeros_like(rows.values), rows.offsets))
    last, lower, _ = np.split(features[0], 3)
    np.testing.assert_array_equal(last, lower)


def test_no_warning_is_logged_for_a_transformer(caplog):
    Encoder(build("GPT2"))
    assert not caplog.records


def test_a_backbone_without_blocks_has_no_layers_to_train():
    with pytest.raises(ConfigError, match="trainable_layers is 1, but the encoder has 0 transformer layers"):
        freeze_lower_layers(plain_backbone(), 1)
