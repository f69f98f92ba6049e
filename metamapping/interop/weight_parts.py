"""Weight parts: the weights of each encoder family by their names in files and in Keras, without Keras.

``weights`` maps the variables of a built backbone to the same names; this table knows them from the number of
layers alone, so that a folder can be read, and fingerprinted as if Keras had read it, without TensorFlow.

    for part in bert_parts(num_layers=6):
        part.name, part.shape(sizes), part.keras_paths
        part.to_keras(array)                      # what Keras has under each of the paths
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

# RoBERTa counts positions from 2; the first two rows of its table belong to padding.
RESERVED_POSITIONS = 2


@dataclass(frozen=True)
class Part:
    """One array of the file.

    Attributes:
        name: Name of the array, without the family's prefix.
        sizes: Along each axis the name of its size, as ``FamilyFormat.sizes`` has it.
        keras_paths: The paths of the variables of a backbone that it holds, side by side along its last axis
            (GPT-2 stores query, key and value together).
        is_transposed: Whether Keras has it transposed (PyTorch's dense layers have outputs first).
        reserved_rows: First rows that Keras does not have.
    """

    name: str
    sizes: tuple[str, ...]
    keras_paths: tuple[str, ...]
    is_transposed: bool = False
    reserved_rows: int = 0

    @property
    def is_optional(self) -> bool:
        """Whether files may lack it: no feature depends on BERT's pooler."""
        return self.name.startswith("pooler.")

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of the array.

        Args:
            sizes: The sizes of the encoder by name.
        """
        shape = [sizes[size] for size in self.sizes]
        shape[0] += self.reserved_rows
        shape[-1] *= len(self.keras_paths)
        return tuple(shape)

    def to_keras(self, array: np.ndarray) -> dict[str, np.ndarray]:
        """The values of the variables by their paths; attention's axis of heads is not split off.

        Args:
            array: The array as stored in the file.
        """
        array = array[self.reserved_rows :]
        array = array.T if self.is_transposed else array
        parts = np.split(array, len(self.keras_paths), axis=-1)
        return dict(zip(self.keras_paths, parts, strict=True))


def bert_parts(num_layers: int) -> Iterator[Part]:
    """The parts of a BERT, the pooler last.

    Args:
        num_layers: Number of its layers.
    """
    yield _table("embeddings.word_embeddings", "vocabulary_size", "token_embedding")
    yield _table("embeddings.position_embeddings", "max_sequence_length", "position_embedding")
    yield _table("embeddings.token_type_embeddings", "num_segments", "segment_embedding")
    yield from _norm("embeddings.LayerNorm", "embeddings_layer_norm")
    yield from _bert_layers(num_layers)
    yield from _dense("pooler.dense", "pooled_dense")


def roberta_parts(num_layers: int) -> Iterator[Part]:
    """The parts of a RoBERTa: BERT's layers, positions from 2, no segments.

    Args:
        num_layers: Number of its layers.
    """
    yield _table("embeddings.word_embeddings", "vocabulary_size", "embeddings/token_embedding")
    positions = "embeddings/position_embedding"
    yield _table("embeddings.position_embeddings", "max_sequence_length", positions, RESERVED_POSITIONS)
    yield from _norm("embeddings.LayerNorm", "embeddings_layer_norm")
    yield from _bert_layers(num_layers)


def distilbert_parts(num_layers: int) -> Iterator[Part]:
    """The parts of a DistilBERT.

    Args:
        num_layers: Number of its layers.
    """
    tables = "token_and_position_embedding"
    yield _table("embeddings.word_embeddings", "vocabulary_size", f"{tables}/token_embedding")
    yield _table("embeddings.position_embeddings", "max_sequence_length", f"{tables}/position_embedding")
    yield from _norm("embeddings.LayerNorm", "embeddings_layer_norm")
    names = ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm")
    for i in range(num_layers):
        part_names = (*names, "ffn.lin1", "ffn.lin2", "output_layer_norm")
        yield from _layer(f"transformer.layer.{i}", f"transformer_layer_{i}", part_names)


def gpt2_parts(num_layers: int) -> Iterator[Part]:
    """The parts of a GPT-2. Kernels have inputs first, as in Keras; query, key and value are one array.

    Args:
        num_layers: Number of its layers.
    """
    yield _table("wte", "vocabulary_size", "token_embedding")
    yield _table("wpe", "max_sequence_length", "position_embedding")
    for i in range(num_layers):
        part, layer = f"h.{i}", f"transformer_layer_{i}"
        attention = f"{layer}/self_attention"
        yield from _norm(f"{part}.ln_1", f"{layer}/self_attention_layer_norm")
        inputs = tuple(f"{attention}/{name}" for name in ("query", "key", "value"))
        yield from _gpt2_dense(f"{part}.attn.c_attn", ("hidden_dim", "hidden_dim"), *inputs)
        yield from _gpt2_dense(
            f"{part}.attn.c_proj", ("hidden_dim", "hidden_dim"), f"{attention}/attention_output"
        )
        yield from _norm(f"{part}.ln_2", f"{layer}/feedforward_layer_norm")
        wide, narrow = (f"{layer}/feedforward_{name}_dense" for name in ("intermediate", "output"))
        yield from _gpt2_dense(f"{part}.mlp.c_fc", ("hidden_dim", "intermediate_dim"), wide)
        yield from _gpt2_dense(f"{part}.mlp.c_proj", ("intermediate_dim", "hidden_dim"), narrow)
    yield from _norm("ln_f", "layer_norm")


def _bert_layers(num_layers: int) -> Iterator[Part]:
    attention = tuple(f"attention.{name}" for name in ("self.query", "self.key", "self.value"))
    names = (*attention, "attention.output.dense", "attention.output.LayerNorm")
    for i in range(num_layers):
        part_names = (*names, "intermediate.dense", "output.dense", "output.LayerNorm")
        yield from _layer(f"encoder.layer.{i}", f"transformer_layer_{i}", part_names)


def _layer(prefix: str, layer: str, names: tuple[str, ...]) -> Iterator[Part]:
    """A layer that normalizes after each sublayer; ``names`` are those of its eight parts, in order."""
    query, key, value, output, norm, wide, narrow, last_norm = (f"{prefix}.{name}" for name in names)
    attention = f"{layer}/self_attention_layer"
    yield from _dense(query, f"{attention}/query")
    yield from _dense(key, f"{attention}/key")
    yield from _dense(value, f"{attention}/value")
    yield from _dense(output, f"{attention}/attention_output")
    yield from _norm(norm, f"{layer}/self_attention_layer_norm")
    yield from _dense(wide, f"{layer}/feedforward_intermediate_dense", outputs="intermediate_dim")
    yield from _dense(narrow, f"{layer}/feedforward_output_dense", inputs="intermediate_dim")
    yield from _norm(last_norm, f"{layer}/feedforward_layer_norm")


def _table(name: str, rows: str, path: str, reserved_rows: int = 0) -> Part:
    sizes = (rows, "hidden_dim")
    return Part(f"{name}.weight", sizes, (f"{path}/embeddings",), reserved_rows=reserved_rows)


def _dense(
    name: str, path: str, *, outputs: str = "hidden_dim", inputs: str = "hidden_dim"
) -> Iterator[Part]:
    yield Part(f"{name}.weight", (outputs, inputs), (f"{path}/kernel",), is_transposed=True)
    yield Part(f"{name}.bias", (outputs,), (f"{path}/bias",))


def _gpt2_dense(name: str, sizes: tuple[str, str], *paths: str) -> Iterator[Part]:
    yield Part(f"{name}.weight", sizes, tuple(f"{path}/kernel" for path in paths))
    yield Part(f"{name}.bias", sizes[1:], tuple(f"{path}/bias" for path in paths))


def _norm(name: str, path: str) -> Iterator[Part]:
    yield Part(f"{name}.weight", ("hidden_dim",), (f"{path}/gamma",))
    yield Part(f"{name}.bias", ("hidden_dim",), (f"{path}/beta",))
