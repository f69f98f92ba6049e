"""Graphs: the forward pass of an encoder as an ONNX graph, for the families that Hugging Face knows as well.

Every family computes what KerasHub's layers compute (``interop.families``), and then the views of
``models.encoder``:

* ``texts`` ``(B, 3 d)``: the views of whole texts, pooled over the tokens where ``pool`` is 1;
* ``last`` and ``lower`` ``(B, L, d)``: the token states that the views of words are means of.

    graph = build_graph("bert", config, WeightFile(folder / "model.safetensors"))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import onnx
from onnx import TensorProto

from metamapping.models.view_layout import LENGTH_EPSILON, NUM_BEGINNING_STATES, NUM_VIEWS, lower_layer
from metamapping.runtime.graph_writer import GraphWriter
from metamapping.runtime.transformer import States, Transformer
from metamapping.runtime.weight_file import WeightFile


class _PartNames(NamedTuple):
    """The names of the weights of a layer that normalizes after each sublayer, in order of computation."""

    layer: str
    query: str
    key: str
    value: str
    attention: str
    attention_norm: str
    wide: str
    narrow: str
    last_norm: str


_BERT_PARTS = _PartNames(
    "encoder.layer",
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)
_DISTILBERT_PARTS = _PartNames(
    "transformer.layer",
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
)


def build_graph(family: str, config: Mapping[str, Any], weights: WeightFile) -> onnx.ModelProto:
    """The graph of an encoder.

    Args:
        family: Hugging Face's name of its architecture (``model_type``), one of ``GRAPH_FAMILIES``.
        config: The content of its ``config.json``, as ``interop.families`` writes it.
        weights: The file that holds its weights; the graph refers to them.
    """
    writer, (blocks, last) = GRAPH_FAMILIES[family](config, weights)
    dim, lower = writer.dim, blocks[lower_layer(len(blocks))]
    count = writer.op("CumSum", "pool", writer.constant(1))
    is_early = writer.op("LessOrEqual", count, writer.constant(float(NUM_BEGINNING_STATES)))
    beginning = writer.op("Mul", "pool", writer.op("Cast", is_early, to=TensorProto.FLOAT))
    views = [_mean(writer, last, "pool"), _mean(writer, lower, "pool"), _mean(writer, lower, beginning)]
    writer.op("Concat", *views, axis=-1, name="texts")
    writer.op("Identity", last, name="last")
    writer.op("Identity", lower, name="lower")
    states = ("texts", "tokens", dim)
    return writer.model({"texts": ("texts", NUM_VIEWS * dim), "last": states, "lower": states})


def _mean(writer: GraphWriter, states: str, pool: str) -> str:
    """The mean of the states where ``pool`` is 1, at unit length: ``(B, d)``."""
    axis = writer.constant([1])
    total = writer.op("MatMul", writer.op("Unsqueeze", pool, axis), states)
    count = writer.op("Max", writer.op("ReduceSum", pool, axis, keepdims=1), writer.constant(1.0))
    mean = writer.op("Div", writer.op("Squeeze", total, axis), count)
    square = writer.op("ReduceSum", writer.op("Mul", mean, mean), axis, keepdims=1)
    length = writer.op("Sqrt", writer.op("Max", square, writer.constant(LENGTH_EPSILON)))
    return writer.op("Div", mean, length)


def _bert(config: Mapping[str, Any], weights: WeightFile) -> tuple[GraphWriter, States]:
    transformer = Transformer(
        GraphWriter(weights, "bert."), num_heads=config["num_attention_heads"], epsilon=1e-12, gelu="tanh"
    )
    tokens = transformer.tokens("embeddings.word_embeddings")
    positions = transformer.positions("embeddings.position_embeddings")
    segments = transformer.segments("embeddings.token_type_embeddings")
    states = transformer.add(transformer.add(tokens, positions), segments)
    states = transformer.norm(states, "embeddings.LayerNorm")
    return transformer.writer, _layers(transformer, states, _BERT_PARTS, config["num_hidden_layers"])


def _roberta(config: Mapping[str, Any], weights: WeightFile) -> tuple[GraphWriter, States]:
    transformer = Transformer(
        GraphWriter(weights, "roberta."), num_heads=config["num_attention_heads"], epsilon=1e-5, gelu="none"
    )
    # The first two rows of RoBERTa's table of positions belong to padding.
    positions = transformer.positions("embeddings.position_embeddings", first_row=2)
    states = transformer.add(transformer.tokens("embeddings.word_embeddings"), positions)
    states = transformer.norm(states, "embeddings.LayerNorm")
    return transformer.writer, _layers(transformer, states, _BERT_PARTS, config["num_hidden_layers"])


def _distilbert(config: Mapping[str, Any], weights: WeightFile) -> tuple[GraphWriter, States]:
    transformer = Transformer(
        GraphWriter(weights, "distilbert."), num_heads=config["n_heads"], epsilon=1e-12, gelu="none"
    )
    positions = transformer.positions("embeddings.position_embeddings")
    states = transformer.add(transformer.tokens("embeddings.word_embeddings"), positions)
    states = transformer.norm(states, "embeddings.LayerNorm")
    return transformer.writer, _layers(transformer, states, _DISTILBERT_PARTS, config["n_layers"])


def _gpt2(config: Mapping[str, Any], weights: WeightFile) -> tuple[GraphWriter, States]:
    transformer = Transformer(
        GraphWriter(weights, "transformer."), num_heads=config["n_head"], epsilon=1e-5, gelu="tanh"
    )
    states = transformer.add(transformer.tokens("wte"), transformer.positions("wpe"))
    hidden, blocks = transformer.add(transformer.padding(), transformer.later_tokens()), []
    for layer in (f"h.{i}" for i in range(config["n_layer"])):
        normed = transformer.norm(states, f"{layer}.ln_1")
        query, key, value = transformer.thirds(
            transformer.dense(normed, f"{layer}.attn.c_attn", inputs_first=True)
        )
        attended = transformer.attention(query, key, value, hidden)
        attended = transformer.dense(attended, f"{layer}.attn.c_proj", inputs_first=True)
        states = transformer.add(states, attended)
        normed = transformer.norm(states, f"{layer}.ln_2")
        wide = transformer.gelu(transformer.dense(normed, f"{layer}.mlp.c_fc", inputs_first=True))
        narrow = transformer.dense(wide, f"{layer}.mlp.c_proj", inputs_first=True)
        states = transformer.add(states, narrow)
        blocks.append(states)
    return transformer.writer, (blocks, transformer.norm(states, "ln_f"))


def _layers(transformer: Transformer, states: str, names: _PartNames, num_layers: int) -> States:
    """Transformer layers that normalize after each sublayer."""
    hidden, blocks = transformer.padding(), []
    for i in range(num_layers):
        parts = _PartNames("", *(f"{names.layer}.{i}.{name}" for name in names[1:]))
        query, key, value = (
            transformer.dense(states, part) for part in (parts.query, parts.key, parts.value)
        )
        attended = transformer.dense(transformer.attention(query, key, value, hidden), parts.attention)
        states = transformer.norm(transformer.add(states, attended), parts.attention_norm)
        wide = transformer.gelu(transformer.dense(states, parts.wide))
        narrow = transformer.dense(wide, parts.narrow)
        states = transformer.norm(transformer.add(states, narrow), parts.last_norm)
        blocks.append(states)
    return blocks, states


GRAPH_FAMILIES: dict[str, Callable[[Mapping[str, Any], WeightFile], tuple[GraphWriter, States]]] = {
    "bert": _bert,
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "distilbert": _distilbert,
    "gpt2": _gpt2,
}
