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
from dataclasses import dataclass, field
from typing import Any

import keras
import keras_hub
import numpy as np

from metamapping.interop.bounded_build import build_bounded
from metamapping.interop.family_format import FORMATS, FamilyFormat
from metamapping.interop.weights import (
    Weight,
    bert_weights,
    distilbert_weights,
    gpt2_weights,
    roberta_weights,
)


@dataclass(frozen=True, kw_only=True)
class Family(FamilyFormat):
    """How one family of encoders is described and stored in Hugging Face's format, with Keras.

    Attributes:
        architecture: PyTorch's base class.
        backbone: KerasHub's class.
        weights: A function that yields the weights of a backbone.
        unused: Weights that PyTorch's class has and KerasHub's lacks: for each name its shape as a function
            of the hidden width. No feature depends on them; they are written as zeros.
    """

    architecture: str
    backbone: type
    weights: Callable[[Any], Iterator[Weight]]
    unused: Mapping[str, Callable[[int], tuple[int, ...]]] = field(default_factory=dict)

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
        sizes = self.read_sizes(config)
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
        named = {self.base_name(name): array for name, array in arrays.items()}
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


def _family(
    model_type: str,
    architecture: str,
    backbone: type,
    weights: Callable[[Any], Iterator[Weight]],
    unused: Mapping[str, Callable[[int], tuple[int, ...]]] | None = None,
) -> Family:
    return Family(
        **vars(FORMATS[model_type]),
        architecture=architecture,
        backbone=backbone,
        weights=weights,
        unused=unused or {},
    )


_ROBERTA_UNUSED: dict[str, Callable[[int], tuple[int, ...]]] = {
    "embeddings.token_type_embeddings.weight": lambda dim: (1, dim),
    "pooler.dense.weight": lambda dim: (dim, dim),
    "pooler.dense.bias": lambda dim: (dim,),
}
_models = keras_hub.models
_FAMILIES = (
    _family("bert", "BertModel", _models.BertBackbone, bert_weights),
    _family("roberta", "RobertaModel", _models.RobertaBackbone, roberta_weights, _ROBERTA_UNUSED),
    _family("xlm-roberta", "XLMRobertaModel", _models.XLMRobertaBackbone, roberta_weights, _ROBERTA_UNUSED),
    _family("distilbert", "DistilBertModel", _models.DistilBertBackbone, distilbert_weights),
    _family("gpt2", "GPT2Model", _models.GPT2Backbone, gpt2_weights),
)
FAMILIES = {family.model_type: family for family in _FAMILIES}
