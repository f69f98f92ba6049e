"""Encoders that only KerasHub knows are published for MetaMapper, and read back without a change."""

import json

import keras_hub
import numpy as np
import pytest
from safetensors.numpy import save_file

from metamapping import MetaMapper
from metamapping.errors import StoreError
from metamapping.interop import hugging_face, keras_hub_only
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping
from metamapping.publishing.published_model import PublishedModel, read_published, write_published
from metamapping.storage.artifacts import Stage
from tests.interop.toy_families import LENGTH, TEXTS, VOCABULARY_SIZE, write_tokenizer


@pytest.fixture(scope="module")
def backbone():
    return keras_hub.models.AlbertBackbone(
        vocabulary_size=VOCABULARY_SIZE,
        num_layers=2,
        num_heads=2,
        embedding_dim=16,
        hidden_dim=32,
        intermediate_dim=48,
        max_sequence_length=32,
    )


@pytest.fixture(scope="module")
def folder(backbone, tmp_path_factory):
    from metamapping.config.corpus import CleaningSpec
    from metamapping.publishing.published_model import Provenance

    folder = tmp_path_factory.mktemp("albert")
    tokenizer = write_tokenizer("bert", folder / "tokenizer")
    encoder = Encoder(backbone)
    model = PublishedModel(encoder, MetaMapping(encoder.dim), tokenizer, LENGTH, CleaningSpec())
    write_published(
        folder / "published", model, Provenance(Stage("published", "toy", 1, {}, []), [], "# toy\n")
    )
    return folder / "published"


def test_metamapper_reads_it_back_to_the_bit(folder, backbone):
    again = read_published(folder).encoder.backbone
    for before, after in zip(backbone.weights, again.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(after), np.asarray(before))
    assert MetaMapper.from_pretrained(folder).adapt(TEXTS, ["a", "b", "a", "b"]).predict(TEXTS)


def test_other_libraries_find_no_configuration_rather_than_a_wrong_one(folder):
    assert not (folder / "config.json").exists()
    assert not (folder / "modules.json").exists()
    with pytest.raises(ValueError, match=r"has no config\.json"):
        keras_hub.models.Backbone.from_preset(str(folder))


def test_it_cannot_be_written_in_hugging_faces_format(backbone, tmp_path):
    with pytest.raises(ValueError, match="AlbertBackbone cannot be written for Hugging Face: expected"):
        hugging_face.write_backbone(backbone, tmp_path)


@pytest.mark.parametrize("name", ["Sequential", "os.system", "BertTextClassifier", "", None])
def test_only_classes_of_backbones_can_be_named(tmp_path, name):
    (tmp_path / "encoder.json").write_text(json.dumps({"class": name, "config": {}}))
    with pytest.raises(StoreError, match="not a backbone of KerasHub"):
        keras_hub_only.read_backbone(tmp_path)


def test_a_configuration_with_unknown_arguments_is_an_error(tmp_path):
    (tmp_path / "encoder.json").write_text(json.dumps({"class": "AlbertBackbone", "config": {"layers": 1}}))
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(StoreError, match="does not describe a valid AlbertBackbone"):
        keras_hub_only.read_backbone(tmp_path)
