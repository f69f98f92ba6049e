"""The encoder that a run starts from: a pretrained one, or a small one with random weights.

Exactly one of ``preset`` and ``scratch`` is given.

    EncoderSpec(preset="hf://google-bert/bert-base-uncased", trainable_layers=4)
"""

from __future__ import annotations

from pydantic import Field, model_validator

from metamapping.config.part import Part


class ScratchEncoder(Part):
    """A small BERT with random weights, whose WordPiece vocabulary is learned from the train sources."""

    vocabulary_size: int = Field(4_000, ge=100, description="Maximum size of the vocabulary in tokens.")
    num_layers: int = Field(2, ge=1, description="Number of transformer layers.")
    num_heads: int = Field(4, ge=1, description="Number of attention heads per layer.")
    hidden_dim: int = Field(128, ge=8, description="Width of the token states.")
    intermediate_dim: int = Field(256, ge=8, description="Width of the feed-forward layers.")


class EncoderSpec(Part):
    """The encoder to start from: pretrained, or a small one from scratch."""

    preset: str | None = Field(
        None,
        description="Path of a local Hugging Face or KerasHub folder, or an address that KerasHub reads "
        "(`hf://google-bert/bert-base-uncased`). Default: the encoder is made from `scratch`.",
    )
    scratch: ScratchEncoder | None = Field(
        None,
        description="Shape of a small encoder with random weights. Default: the encoder comes from `preset`.",
    )
    max_length_tokens: int = Field(
        64, ge=8, le=8192, description="Length in tokens to which longer texts are truncated."
    )
    trainable_layers: int | None = Field(
        None,
        ge=0,
        description="Number of upper layers to train; the embeddings and the layers below are frozen. "
        "Default: all layers and the embeddings are trained.",
    )

    @model_validator(mode="after")
    def _check(self) -> EncoderSpec:
        if (self.preset is None) == (self.scratch is None):
            raise ValueError("encoder needs either `preset` or `scratch`, and not both")
        return self
