"""Backbones: KerasHub transformers, pretrained or from scratch, and which of their layers are trained.

backbone = build_backbone(spec, vocabulary_size=30522, seed=0)
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np

from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.config.training import PrecisionName
from metamapping.errors import ConfigError, one_line
from metamapping.interop import hugging_face


def build_backbone(
    spec: EncoderSpec, *, vocabulary_size: int, seed: int, precision: PrecisionName = "float32"
) -> keras.Model:
    """The backbone that ``spec`` names, with pretrained weights or random ones from ``seed``.

    ``precision``: of its arithmetic. Its weights are float32 always.
    """
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        if spec.scratch is not None:
            backbone = _scratch_bert(spec.scratch, vocabulary_size, spec.max_length_tokens)
            _draw_weights(backbone, seed)
        else:
            backbone = _pretrained(str(spec.preset), precision)
            _check_length(backbone, spec)
    finally:
        keras.config.set_dtype_policy(usual)
    freeze_lower_layers(backbone, spec.trainable_layers)
    return backbone


def copy_backbone(backbone: keras.Model) -> keras.Model:
    """A backbone of the same shape, precision and frozen layers, with other values."""
    copy = type(backbone).from_config(backbone.get_config())
    for ours, theirs in zip(backbone.layers, copy.layers, strict=True):
        theirs.trainable = ours.trainable
    return copy


def freeze_lower_layers(backbone: keras.Model, trainable_layers: int | None) -> None:
    """Freeze all but the upper ``trainable_layers`` transformer layers (``None``: nothing).

    BERT's pooler is always frozen: no feature depends on it.
    """
    blocks = transformer_layers(backbone)
    frozen = [layer for layer in backbone.layers if layer.name == "pooled_dense"]
    if trainable_layers is not None:
        if trainable_layers > len(blocks):
            raise ConfigError(
                f"encoder.trainable_layers is {trainable_layers}, but the encoder has {len(blocks)} "
                "transformer layers: lower it, or leave it out to train everything"
            )
        kept = {layer.name for layer in blocks[len(blocks) - trainable_layers :]}
        frozen = [layer for layer in backbone.layers if layer.name not in kept]
    for layer in frozen:
        layer.trainable = False


def num_frozen_layers(backbone: keras.Model) -> int:
    """The transformer layers that are not trained."""
    return sum(not layer.trainable for layer in transformer_layers(backbone))


def transformer_layers(backbone: keras.Model) -> list[Any]:
    """The backbone's transformer blocks, from the first to the last."""
    return [layer for layer in backbone.layers if re.fullmatch(r"transformer_layer_\d+", layer.name)]


def _draw_weights(backbone: keras.Model, seed: int) -> None:
    """BERT's first weights, from ``seed`` alone.

    Keras draws its own from Python's global generator, which any other thread of the process moves on.
    """
    rng = np.random.default_rng(seed)
    for weight in backbone.weights:
        if weight.name in ("kernel", "embeddings"):
            seed_of_weight = int(rng.integers(2**31))
            values = keras.random.truncated_normal(weight.shape, stddev=_STDDEV, seed=seed_of_weight)
            weight.assign(values)


def _pretrained(preset: str, precision: PrecisionName) -> keras.Model:
    try:
        if hugging_face.is_readable(Path(preset)):
            return hugging_face.read_backbone(Path(preset))
        # Presets may say in which precision they were saved.
        dtype = {} if precision == "float32" else {"dtype": precision}
        return keras_hub.models.Backbone.from_preset(preset, **dtype)
    except Exception as error:  # whatever Keras raises for a folder that describes no encoder
        raise ConfigError(
            f"encoder.preset {preset!r} cannot be read: {one_line(error)}. Expected a local Hugging Face or "
            "KerasHub folder, or an address such as hf://google-bert/bert-base-uncased"
        ) from error


def _check_length(backbone: keras.Model, spec: EncoderSpec) -> None:
    positions = getattr(backbone, "max_sequence_length", None)  # None: any number (Llama, Qwen)
    if positions is not None and spec.max_length_tokens > positions:
        raise ConfigError(
            f"encoder.max_length_tokens is {spec.max_length_tokens}, but {spec.preset!r} has positions for "
            f"{positions} tokens: lower it"
        )


def _scratch_bert(spec: ScratchEncoder, vocabulary_size: int, max_length: int) -> keras.Model:
    return keras_hub.models.BertBackbone(
        vocabulary_size=vocabulary_size,
        num_layers=spec.num_layers,
        num_heads=spec.num_heads,
        hidden_dim=spec.hidden_dim,
        intermediate_dim=spec.intermediate_dim,
        dropout=0.0,
        max_sequence_length=max_length,
    )


_STDDEV = 0.02  # of the first weights: Devlin et al., "BERT", NAACL 2019
