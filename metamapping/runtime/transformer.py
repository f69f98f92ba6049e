"""Transformer: the parts of a transformer encoder as operations of an ONNX graph.

Values are names in the graph; states have the shape ``(B, L, d)``.

    transformer = Transformer(GraphWriter(weights, "bert."), num_heads=12, epsilon=1e-12, gelu="tanh")
    states = transformer.norm(transformer.tokens("embeddings.word_embeddings"), "embeddings.LayerNorm")
"""

from __future__ import annotations

import math

from onnx import TensorProto

from metamapping.runtime.graph_writer import GraphWriter

# The states after each block, and those that the encoder returns.
States = tuple[list[str], str]

# Added to the attention logits of tokens that are not visible; Keras puts the same number in their place.
_HIDDEN = -1e9


class Transformer:
    """Appends the parts of one encoder to a graph.

    Args:
        writer: The graph.
        num_heads: Number of attention heads.
        epsilon: What layer normalization adds to the variance.
        gelu: Approximation of the activation function, ``tanh`` or ``none``.
    """

    def __init__(self, writer: GraphWriter, *, num_heads: int, epsilon: float, gelu: str) -> None:
        self.writer = writer
        self._num_heads, self._epsilon, self._gelu = num_heads, epsilon, gelu
        self._place: str | None = None

    def tokens(self, name: str) -> str:
        """The embeddings of the tokens, whose width is that of the encoder."""
        self.writer.dim = self.writer.shape(f"{name}.weight")[1]
        return self.writer.op("Gather", self.writer.weight(f"{name}.weight"), "token_ids")

    def segments(self, name: str) -> str:
        """The embeddings of the segments."""
        return self.writer.op("Gather", self.writer.weight(f"{name}.weight"), "segment_ids")

    def positions(self, name: str, *, first_row: int = 0) -> str:
        """The embeddings of the positions, from a row of their table."""
        row = self.writer.op("Sub", self._places(), self.writer.constant(float(1 - first_row)))
        rows = self.writer.op("Cast", row, to=TensorProto.INT32)
        return self.writer.op("Gather", self.writer.weight(f"{name}.weight"), rows)

    def add(self, first: str, second: str) -> str:
        """The sum of two values."""
        return self.writer.op("Add", first, second)

    def norm(self, states: str, name: str) -> str:
        """Layer normalization."""
        scale, shift = self.writer.weight(f"{name}.weight"), self.writer.weight(f"{name}.bias")
        return self.writer.op("LayerNormalization", states, scale, shift, axis=-1, epsilon=self._epsilon)

    def dense(self, states: str, name: str, *, inputs_first: bool = False) -> str:
        """A dense layer; PyTorch's kernels have outputs first, except GPT-2's."""
        kernel = self.writer.weight(f"{name}.weight")
        if not inputs_first:
            kernel = self.writer.op("Transpose", kernel, perm=[1, 0])
        return self.add(self.writer.op("MatMul", states, kernel), self.writer.weight(f"{name}.bias"))

    def gelu(self, states: str) -> str:
        """The activation function."""
        return self.writer.op("Gelu", states, approximate=self._gelu)

    def thirds(self, states: str) -> list[str]:
        """Three values of width d that lie side by side."""
        dim, axis = self.writer.dim, self.writer.constant([2])
        bounds = [self.writer.constant([part * dim]) for part in range(4)]
        return [self.writer.op("Slice", states, bounds[i], bounds[i + 1], axis) for i in range(3)]

    def attention(self, query: str, key: str, value: str, hidden: str) -> str:
        """Softmax attention; ``hidden``, ``(B, 1, 1 or L, L)``, is added to the logits."""
        op, width = self.writer.op, self.writer.dim // self._num_heads
        split = self.writer.constant([0, 0, self._num_heads, width])
        query = op("Mul", query, self.writer.constant(1 / math.sqrt(width)))
        query = op("Transpose", op("Reshape", query, split), perm=[0, 2, 1, 3])
        key = op("Transpose", op("Reshape", key, split), perm=[0, 2, 3, 1])
        value = op("Transpose", op("Reshape", value, split), perm=[0, 2, 1, 3])
        shares = op("Softmax", self.add(op("MatMul", query, key), hidden), axis=-1)
        mixed = op("Transpose", op("MatMul", shares, value), perm=[0, 2, 1, 3])
        return op("Reshape", mixed, self.writer.constant([0, 0, self._num_heads * width]))

    def padding(self) -> str:
        """What hides padding from attention: ``(B, 1, 1, L)``."""
        is_padding = self._less_than_one(self.writer.op("Cast", "padding_mask", to=TensorProto.FLOAT))
        return self.writer.op("Unsqueeze", is_padding, self.writer.constant([1, 2]))

    def later_tokens(self) -> str:
        """What hides later tokens from attention, as in GPT: ``(B, 1, L, L)``."""
        op, constant = self.writer.op, self.writer.constant
        place = self._places()
        is_visible = op(
            "LessOrEqual", op("Unsqueeze", place, constant([1])), op("Unsqueeze", place, constant([2]))
        )
        hidden = self._less_than_one(op("Cast", is_visible, to=TensorProto.FLOAT))
        return op("Unsqueeze", hidden, constant([1]))

    def _places(self) -> str:
        """The numbers of the tokens of each text, from 1: float32 ``(B, L)``."""
        if self._place is None:
            op, constant = self.writer.op, self.writer.constant
            zeros = op("Mul", op("Cast", "padding_mask", to=TensorProto.FLOAT), constant(0.0))
            self._place = op("CumSum", op("Add", zeros, constant(1.0)), constant(1))
        return self._place

    def _less_than_one(self, is_visible: str) -> str:
        """0 where a value is 1, and ``_HIDDEN`` where it is 0."""
        inverse = self.writer.op("Sub", self.writer.constant(1.0), is_visible)
        return self.writer.op("Mul", inverse, self.writer.constant(_HIDDEN))
