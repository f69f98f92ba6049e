"""Encoder families that KerasHub and Hugging Face both know: BERT, RoBERTa, XLM-R, DistilBERT and GPT-2.

A family defines the ``config.json`` that describes what KerasHub's layers compute (KerasHub's BERT always has
the tanh GELU, regardless of a configuration), and the names under which its weights are stored.

    family = family_of(backbone)                 # None: only KerasHub knows the backbone
    config, arrays = family.to_config(backbone), family.to_arrays(backbone)
    backbone = family.build(config, arrays)
    family.assign(backbone, arrays)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import keras_hub
import numpy as np

from metamapping.interop.bounded_build import build_bounded
from metamapping.interop.weights import (
    RESERVED_POSITIONS,
    Weight,
    bert_weights,
    distilbert_weights,
    gpt2_weights,
    roberta_weights,
)


@dataclass(frozen=True)
class Family:
    """How one family of encoders is described and stored in Hugging Face's format.

    Attributes:
        model_type: The value of ``model_type`` in ``config.json``.
        architecture: PyTorch's base class.
        backbone: KerasHub's class.
        prefix: The prefix that PyTorch's classes with a head put before the names of weights. KerasHub's own
            reader needs it for RoBERTa and DistilBERT.
        sizes: For each size argument of the backbone its key in ``config.json``.
        layers: Keys and values of ``config.json`` that determine what the layers compute.
        activation: The key of the activation function among ``layers``.
        weights: A function that yields the weights of a backbone.
        unused: Weights that PyTorch's class has and KerasHub's lacks: for each name its shape as a function
            of the hidden width. No feature depends on them; they are written as zeros.
        reserved_positions: Position embeddings that belong to padding, which KerasHub does not count.
    """

    model_type: str
    architecture: str
    backbone: type
    prefix: str
    sizes: Mapping[str, str]
    layers: Mapping[str, Any]
    activation: str
    weights: Callable[[Any], Iterator[Weight]]
    unused: Mapping[str, Callable[[int], tuple[int, ...]]] = field(default_factory=dict)
    reserved_positions: int = 0

    def to_config(self, backbone: keras.Model) -> dict[str, Any]:
        """The content of ``config.json`` for a backbone.

        Args:
            backbone: A backbone of this family.
        """
        sizes = {key: getattr(backbone, argument) for argument, key in self.sizes.items()}
        sizes[self.sizes["max_sequence_length"]] += self.reserved_positions
        head = {"architectures": [self.architecture], "model_type": self.model_type, "dtype": "float32"}
        return {**head, **sizes, **self.layers}

    def build(self, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> keras.Model:
        """A backbone with random weights.

        Args:
            config: The content of ``config.json``.
            arrays: The weights that are to be assigned to it; they bound its size.

        Raises:
            ValueError: A size is missing, is not a positive number, or is larger than the arrays allow; or
                the configuration has an activation that KerasHub's layers lack.
        """
        activation = config.get(self.activation, self.layers[self.activation])
        if not str(activation).startswith("gelu"):
            raise ValueError(
                f"{self.activation} is {activation!r}, but KerasHub's {self.model_type} has GELU"
            )
        sizes: dict[str, Any] = {argument: config.get(key) for argument, key in self.sizes.items()}
        if self.model_type == "gpt2" and sizes["intermediate_dim"] is None:
            sizes["intermediate_dim"] = 4 * sizes["hidden_dim"] if sizes["hidden_dim"] else None
        for argument, value in sizes.items():
            is_valid = isinstance(value, int | float) if argument == "dropout" else _is_size(value)
            if not is_valid:
                raise ValueError(f"{self.sizes[argument]} is {value!r}, expected a number above 0")
        sizes["max_sequence_length"] -= self.reserved_positions
        return build_bounded(lambda: self.backbone(**sizes), sizes, arrays)

    def to_arrays(self, backbone: keras.Model) -> dict[str, np.ndarray]:
        """All weights of a backbone, under names that KerasHub's reader and PyTorch's both find.

        Args:
            backbone: A backbone of this family.
        """
        arrays = {weight.name: weight.to_array() for weight in self.weights(backbone)}
        for name, shape in self.unused.items():
            arrays[name] = np.zeros(shape(backbone.hidden_dim), np.float32)
        return {f"{self.prefix}{name}": array for name, array in arrays.items()}

    def assign(self, backbone: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
        """Set all weights of a backbone from the arrays of a file.

        A BERT without a pooler (a masked language model) gets one of zeros, since no feature depends on it.

        Args:
            backbone: Its weights are changed in place.
            arrays: By name, with or without the prefix. Those of heads are ignored.

        Raises:
            ValueError: An array is missing or has another shape.
        """
        named = {_base_name(name, self.prefix): array for name, array in arrays.items()}
        for weight in self.weights(backbone):
            if weight.name in named:
                weight.assign(named[weight.name])
            elif weight.name.startswith("pooler."):
                weight.assign(np.zeros_like(weight.to_array()))
            else:
                raise ValueError(f"there is no {self.prefix}{weight.name}")


def family_of(backbone: keras.Model) -> Family | None:
    """The family of a backbone, or ``None`` where only KerasHub knows its class.

    Args:
        backbone: A backbone of KerasHub.
    """
    return next((family for family in FAMILIES.values() if type(backbone) is family.backbone), None)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _base_name(name: str, prefix: str) -> str:
    """A weight's name without the prefix; the first BERT files call those of normalization gamma and beta."""
    return name.removeprefix(prefix).replace(".gamma", ".weight").replace(".beta", ".bias")


_BERT_SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "dropout": "hidden_dropout_prob",
    "max_sequence_length": "max_position_embeddings",
}
_BERT = Family(
    model_type="bert",
    architecture="BertModel",
    backbone=keras_hub.models.BertBackbone,
    prefix="bert.",
    sizes={**_BERT_SIZES, "num_segments": "type_vocab_size"},
    layers={"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-12, "pad_token_id": 0},
    activation="hidden_act",
    weights=bert_weights,
)
_ROBERTA = Family(
    model_type="roberta",
    architecture="RobertaModel",
    backbone=keras_hub.models.RobertaBackbone,
    prefix="roberta.",
    sizes=_BERT_SIZES,
    # PyTorch counts positions from pad_token_id + 1; the position tables of all RoBERTas start at 2.
    layers={"hidden_act": "gelu", "layer_norm_eps": 1e-5, "type_vocab_size": 1, "pad_token_id": 1},
    activation="hidden_act",
    weights=roberta_weights,
    unused={
        "embeddings.token_type_embeddings.weight": lambda dim: (1, dim),
        "pooler.dense.weight": lambda dim: (dim, dim),
        "pooler.dense.bias": lambda dim: (dim,),
    },
    reserved_positions=RESERVED_POSITIONS,
)
# XLM-R differs from RoBERTa in its vocabulary alone, which a Unigram tokenizer of a hundred languages has.
_XLM_ROBERTA = replace(
    _ROBERTA,
    model_type="xlm-roberta",
    architecture="XLMRobertaModel",
    backbone=keras_hub.models.XLMRobertaBackbone,
)
_DISTILBERT = Family(
    model_type="distilbert",
    architecture="DistilBertModel",
    backbone=keras_hub.models.DistilBertBackbone,
    prefix="distilbert.",
    sizes={
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layers",
        "num_heads": "n_heads",
        "hidden_dim": "dim",
        "intermediate_dim": "hidden_dim",
        "dropout": "dropout",
        "max_sequence_length": "max_position_embeddings",
    },
    layers={"activation": "gelu", "pad_token_id": 0},
    activation="activation",
    weights=distilbert_weights,
)
_GPT2 = Family(
    model_type="gpt2",
    architecture="GPT2Model",
    backbone=keras_hub.models.GPT2Backbone,
    prefix="transformer.",
    sizes={
        "vocabulary_size": "vocab_size",
        "num_layers": "n_layer",
        "num_heads": "n_head",
        "hidden_dim": "n_embd",
        "intermediate_dim": "n_inner",
        "dropout": "resid_pdrop",
        "max_sequence_length": "n_positions",
    },
    # The tokenizer knows its begin and end tokens. Transformers' default for both, 50256, may lie outside
    # of the vocabulary.
    layers={
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "bos_token_id": None,
        "eos_token_id": None,
    },
    activation="activation_function",
    weights=gpt2_weights,
)
FAMILIES = {family.model_type: family for family in (_BERT, _ROBERTA, _XLM_ROBERTA, _DISTILBERT, _GPT2)}
