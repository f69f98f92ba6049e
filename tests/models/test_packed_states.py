"""States of texts in shared rows are those of the texts alone, for every encoder that allows it."""

import numpy as np
import pytest
import tensorflow as tf

from metamapping.episodes.packing import pack_texts
from metamapping.models.encoder import Encoder
from metamapping.models.packed_states import PackedStates, can_pack
from tests.models.test_encoder import batch_of
from tests.models.test_transformer_blocks import albert, build, plain_backbone

LENGTHS = [2, 3, 3, 4, 6, 7, 12]


def rows_of(backbone):
    batch = batch_of(LENGTHS, [(1, n) for n in LENGTHS])
    packing = pack_texts(np.asarray(LENGTHS))
    return {name: tf.constant(batch[name] % 8) for name in backbone.input}, batch, packing


@pytest.mark.parametrize(
    "make", [lambda: build("Bert"), lambda: build("Roberta"), lambda: build("DistilBert"), albert]
)
def test_states_do_not_depend_on_the_texts_of_the_same_row(make):
    backbone = make()
    assert can_pack(backbone)
    inputs, batch, _ = rows_of(backbone)
    shape = tf.constant([4, 12])
    starts = tf.constant([0, 2, 5, 8, 12, 24, 36], tf.int32)  # four texts in the first row
    encoder = Encoder(backbone)
    expected = encoder._last_and_lower(inputs)
    found = PackedStates(backbone)(inputs, starts, shape)
    mask = batch["padding_mask"].astype(bool)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.numpy()[mask], theirs.numpy()[mask], atol=1e-5)


@pytest.mark.parametrize("name", ["GPT2", "Llama", "DebertaV3", "FNet", "XLNet"])
def test_other_kinds_of_attention_are_not_packed(name):
    assert not can_pack(build(name))


def test_a_backbone_without_blocks_is_not_packed():
    assert not can_pack(plain_backbone())


def test_a_compiled_step_packs_texts_into_rows(monkeypatch):
    encoder = Encoder(build("Bert"))
    inputs, batch, packing = rows_of(encoder.backbone)
    alone = {**batch, **inputs}
    packed = {**alone, **packing}
    monkeypatch.setattr(encoder, "_last_and_lower", None)  # not needed where rows are shared
    features = tf.function(encoder.texts)(packed)
    monkeypatch.undo()
    np.testing.assert_allclose(features, encoder.texts(alone), atol=1e-5)
