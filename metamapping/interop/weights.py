"""Weights: where each variable of a KerasHub backbone is stored in Hugging Face's ``model.safetensors``.

There is one table for each family, used for both writing and reading, so that the two cannot disagree. The
names are those of PyTorch's base class, without its prefix.

    for weight in bert_weights(backbone):
        arrays[weight.name] = weight.to_array()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from metamapping.interop.weight_parts import RESERVED_POSITIONS


@dataclass(frozen=True)
class Weight:
    """One array of the file and the variables whose values it has.

    Attributes:
        name: Name of the array, without the family's prefix.
        variables: The variables, concatenated along the last axis (GPT-2 stores query, key and value
            together).
        shape: The shape to which each variable is reshaped first (attention has an axis for its heads);
            ``None`` for its own shape.
        is_transposed: Whether the array is transposed (PyTorch's dense layers have outputs first).
        reserved_rows: Rows of zeros that are inserted before the first row.
    """

    name: str
    variables: tuple[keras.Variable, ...]
    shape: tuple[int, ...] | None = None
    is_transposed: bool = False
    reserved_rows: int = 0

    def to_array(self) -> np.ndarray:
        """The array as stored in the file, contiguous."""
        return self.to_stored([np.asarray(variable.numpy()) for variable in self.variables])

    def to_stored(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """The array as stored in the file, for other values of the variables; contiguous.

        Args:
            values: A value for each variable.
        """
        parts = [value if self.shape is None else value.reshape(self.shape) for value in values]
        array = np.concatenate(parts, axis=-1)
        array = array.T if self.is_transposed else array
        reserved = np.zeros((self.reserved_rows, *array.shape[1:]), array.dtype)
        return np.ascontiguousarray(np.concatenate([reserved, array]))

    def to_values(self, array: np.ndarray) -> list[np.ndarray]:
        """The value of each variable; the inverse of ``to_stored``.

        Args:
            array: The array as stored in the file.
        """
        array = array[self.reserved_rows :]
        array = array.T if self.is_transposed else array
        parts = np.split(array, len(self.variables), axis=-1)
        return [part.reshape(variable.shape) for variable, part in zip(self.variables, parts, strict=True)]

    def assign(self, array: np.ndarray) -> None:
        """Set the variables from an array of the file.

        Args:
            array: The array as stored in the file.

        Raises:
            ValueError: The array has another shape.
        """
        expected = self.to_array().shape
        if array.shape != expected:
            raise ValueError(f"{self.name} is {array.shape}, expected {expected}")
        for variable, value in zip(self.variables, self.to_values(array), strict=True):
            variable.assign(value)


def bert_weights(backbone: Any) -> Iterator[Weight]:
    """The weights of a BERT, the pooler last.

    Args:
        backbone: A ``BertBackbone``.
    """
    embeddings = {
        "word_embeddings": backbone.token_embedding.embeddings,
        "position_embeddings": backbone.position_embedding.position_embeddings,
        "token_type_embeddings": backbone.segment_embedding.embeddings,
    }
    for name, variable in embeddings.items():
        yield Weight(f"embeddings.{name}.weight", (variable,))
    yield from _norm("embeddings.LayerNorm", backbone.embeddings_layer_norm)
    yield from _bert_layers(backbone)
    yield from _dense("pooler.dense", backbone.pooled_dense)


def roberta_weights(backbone: Any) -> Iterator[Weight]:
    """The weights of a RoBERTa: BERT's layers, positions from 2, no segments.

    Args:
        backbone: A ``RobertaBackbone``.
    """
    tokens, positions = backbone.token_embedding, backbone.embeddings.position_embedding
    yield Weight("embeddings.word_embeddings.weight", (tokens.embeddings,))
    yield Weight(
        "embeddings.position_embeddings.weight",
        (positions.position_embeddings,),
        reserved_rows=RESERVED_POSITIONS,
    )
    yield from _norm("embeddings.LayerNorm", backbone.embeddings_layer_norm)
    yield from _bert_layers(backbone)


def distilbert_weights(backbone: Any) -> Iterator[Weight]:
    """The weights of a DistilBERT.

    Args:
        backbone: A ``DistilBertBackbone``.
    """
    embeddings = backbone.embeddings
    yield Weight("embeddings.word_embeddings.weight", (embeddings.token_embedding.embeddings,))
    positions = embeddings.position_embedding.position_embeddings
    yield Weight("embeddings.position_embeddings.weight", (positions,))
    yield from _norm("embeddings.LayerNorm", backbone.embeddings_layer_norm)
    names = ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm")
    for i, layer in enumerate(backbone.transformer_layers):
        part_names = (*names, "ffn.lin1", "ffn.lin2", "output_layer_norm")
        yield from _layer(f"transformer.layer.{i}", layer, part_names, backbone.hidden_dim)


def gpt2_weights(backbone: Any) -> Iterator[Weight]:
    """The weights of a GPT-2. Kernels have inputs first, as in Keras; query, key and value are one array.

    Args:
        backbone: A ``GPT2Backbone``.
    """
    dim = backbone.hidden_dim
    yield Weight("wte.weight", (backbone.token_embedding.embeddings,))
    yield Weight("wpe.weight", (backbone.position_embedding.position_embeddings,))
    for i, layer in enumerate(backbone.transformer_layers):
        attention = layer._self_attention_layer
        inputs = (attention.query_dense, attention.key_dense, attention.value_dense)
        yield from _norm(f"h.{i}.ln_1", layer._self_attention_layer_norm)
        yield Weight(f"h.{i}.attn.c_attn.weight", tuple(d.kernel for d in inputs), shape=(dim, -1))
        yield Weight(f"h.{i}.attn.c_attn.bias", tuple(d.bias for d in inputs), shape=(-1,))
        yield Weight(f"h.{i}.attn.c_proj.weight", (attention.output_dense.kernel,), shape=(-1, dim))
        yield Weight(f"h.{i}.attn.c_proj.bias", (attention.output_dense.bias,))
        yield from _norm(f"h.{i}.ln_2", layer._feedforward_layer_norm)
        yield Weight(f"h.{i}.mlp.c_fc.weight", (layer._feedforward_intermediate_dense.kernel,))
        yield Weight(f"h.{i}.mlp.c_fc.bias", (layer._feedforward_intermediate_dense.bias,))
        yield Weight(f"h.{i}.mlp.c_proj.weight", (layer._feedforward_output_dense.kernel,))
        yield Weight(f"h.{i}.mlp.c_proj.bias", (layer._feedforward_output_dense.bias,))
    yield from _norm("ln_f", backbone.layer_norm)


def _bert_layers(backbone: Any) -> Iterator[Weight]:
    attention = tuple(f"attention.{name}" for name in ("self.query", "self.key", "self.value"))
    names = (*attention, "attention.output.dense", "attention.output.LayerNorm")
    for i, layer in enumerate(backbone.transformer_layers):
        part_names = (*names, "intermediate.dense", "output.dense", "output.LayerNorm")
        yield from _layer(f"encoder.layer.{i}", layer, part_names, backbone.hidden_dim)


def _layer(prefix: str, layer: Any, names: tuple[str, ...], dim: int) -> Iterator[Weight]:
    """A ``TransformerEncoder`` layer; ``names`` are those of its eight parts, in order of computation."""
    query, key, value, output, norm, wide, narrow, last_norm = (f"{prefix}.{name}" for name in names)
    attention = layer._self_attention_layer
    yield from _dense(query, attention.query_dense, shape=(dim, -1))
    yield from _dense(key, attention.key_dense, shape=(dim, -1))
    yield from _dense(value, attention.value_dense, shape=(dim, -1))
    yield from _dense(output, attention.output_dense, shape=(-1, dim))
    yield from _norm(norm, layer._self_attention_layer_norm)
    yield from _dense(wide, layer._feedforward_intermediate_dense)
    yield from _dense(narrow, layer._feedforward_output_dense)
    yield from _norm(last_norm, layer._feedforward_layer_norm)


def _dense(name: str, layer: Any, shape: tuple[int, int] | None = None) -> Iterator[Weight]:
    yield Weight(f"{name}.weight", (layer.kernel,), shape=shape, is_transposed=True)
    yield Weight(f"{name}.bias", (layer.bias,), shape=(-1,))


def _norm(name: str, layer: Any) -> Iterator[Weight]:
    yield Weight(f"{name}.weight", (layer.gamma,))
    yield Weight(f"{name}.bias", (layer.beta,))
