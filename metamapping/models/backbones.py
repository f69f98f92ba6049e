"""Backbones: building KerasHub transformers, pretrained or from scratch, and freezing their lower layers.

Backbones come from a preset (a local Hugging Face or KerasHub folder, or a hub address) or, from scratch, are
small BERTs whose weights depend on a seed alone. Weights are float32 in every precision of the arithmetic.

    backbone = build_backbone(spec, vocabulary_size=30522, seed=0)
"""

from __future__ import annotations

from pathlib import Path

import keras
import keras_hub
import numpy as np

from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.config.training import PrecisionName
from metamapping.errors import ConfigError, one_line
from metamapping.interop import hugging_face
from metamapping.models.transformer_blocks import transformer_blocks

# Standard deviation of the initial weights (Devlin et al., "BERT", NAACL 2019).
INITIAL_STANDARD_DEVIATION = 0.02


def build_backbone(
    spec: EncoderSpec, *, vocabulary_size: int, seed: int, precision: PrecisionName = "float32"
) -> keras.Model:
    """The backbone that a configuration describes, with its lower layers frozen as configured.

    Args:
        spec: A preset with pretrained weights, or the sizes of a BERT from scratch.
        vocabulary_size: Vocabulary size of a BERT from scratch; ignored for a preset.
        seed: Seed of the initial weights of a BERT from scratch; ignored for a preset.
        precision: Precision of the arithmetic; the weights are always float32.

    Raises:
        ConfigError: The preset cannot be read, has positions for fewer tokens than configured, or has
            fewer transformer layers than are to be trained.
    """
    previous_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        if spec.scratch is not None:
            backbone = _scratch_bert(spec.scratch, vocabulary_size, spec.max_length_tokens)
            _initialize_weights(backbone, seed)
        else:
            backbone = _pretrained(str(spec.preset), precision)
            _check_length(backbone, spec)
    finally:
        keras.config.set_dtype_policy(previous_policy)
    freeze_lower_layers(backbone, spec.trainable_layers)
    return backbone


def copy_backbone(backbone: keras.Model) -> keras.Model:
    """A backbone of the same shape, precision and frozen layers; the values of weights are not copied.

    Args:
        backbone: A backbone of KerasHub.
    """
    copy = type(backbone).from_config(backbone.get_config())
    for source, target in zip(backbone.layers, copy.layers, strict=True):
        target.trainable = source.trainable
    return copy


def freeze_lower_layers(backbone: keras.Model, trainable_layers: int | None) -> None:
    """Freeze all layers except the upper transformer layers.

    BERT's pooler is always frozen, because no feature depends on it.

    Args:
        backbone: Its layers are changed in place.
        trainable_layers: How many transformer layers stay trainable; ``None`` leaves everything trainable.
            ALBERT's shared layer counts once.

    Raises:
        ConfigError: The backbone has fewer transformer layers.
    """
    blocks = transformer_blocks(backbone)
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
    """The number of transformer layers that are not trained.

    Args:
        backbone: A backbone of KerasHub.
    """
    return sum(not layer.trainable for layer in transformer_blocks(backbone))


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


def _initialize_weights(backbone: keras.Model, seed: int) -> None:
    """BERT's initial weights, from ``seed`` alone.

    Keras takes its own seeds from Python's global generator, which other threads of the process advance.
    """
    rng = np.random.default_rng(seed)
    for weight in backbone.weights:
        if weight.name in ("kernel", "embeddings"):
            weight_seed = int(rng.integers(2**31))
            values = keras.random.truncated_normal(
                weight.shape, stddev=INITIAL_STANDARD_DEVIATION, seed=weight_seed
            )
            weight.assign(values)


def _pretrained(preset: str, precision: PrecisionName) -> keras.Model:
    try:
        if hugging_face.is_readable(Path(preset)):
            return hugging_face.read_backbone(Path(preset))
        # For float32 the preset's own dtype is kept: it may name the precision in which it was saved.
        dtype = {} if precision == "float32" else {"dtype": precision}
        return keras_hub.models.Backbone.from_preset(preset, **dtype)
    except Exception as error:  # Keras raises many types for a folder that describes no encoder
        reason = f"it lacks {error}" if isinstance(error, KeyError) else one_line(error).rstrip(".")
        raise ConfigError(
            f"encoder.preset {preset!r} cannot be read: {reason}. Expected a local Hugging Face or "
            "KerasHub folder, or an address such as hf://google-bert/bert-base-uncased"
        ) from error


def _check_length(backbone: keras.Model, spec: EncoderSpec) -> None:
    # Rotary models (Llama, Qwen) have no such attribute: they take texts of any length.
    positions = getattr(backbone, "max_sequence_length", None)
    if positions is not None and spec.max_length_tokens > positions:
        raise ConfigError(
            f"encoder.max_length_tokens is {spec.max_length_tokens}, but {spec.preset!r} has positions for "
            f"{positions} tokens: lower it"
        )
