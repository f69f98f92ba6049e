"""Graph writer: collects the operations of an ONNX graph whose weights stay in a safetensors file.

The graph holds only operations and a few small constants. Each weight is an ONNX tensor with external data:
name, offset and length of an array in ``model.safetensors``, so that a published folder has one copy of the
weights, and any tool that runs ONNX can open the graph where it lies.

    writer = GraphWriter(WeightFile(folder / "model.safetensors"))
    states = writer.op("Gather", writer.weight("embeddings.weight"), "token_ids")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from metamapping.runtime.weight_file import WeightFile

# Opset 20 is the first with GELU. The version of the file format is the one that came with it.
OPSET, IR_VERSION = 20, 9

# Data type, and the axes of each: B texts, L tokens, all free.
INPUTS = {
    "token_ids": TensorProto.INT32,
    "segment_ids": TensorProto.INT32,
    "padding_mask": TensorProto.INT32,
    "pool": TensorProto.FLOAT,
}
INPUT_AXES = ("texts", "tokens")


class GraphWriter:
    """An ONNX graph under construction. Values are referred to by their names.

    Args:
        weights: The file with the weights.
        prefix: What the names of all weights begin with.

    Attributes:
        dim: Width of the encoder's states, once it is known.
    """

    def __init__(self, weights: WeightFile, prefix: str = "") -> None:
        self._weights, self._prefix = weights, prefix
        self.dim = 0
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}

    def op(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Append an operation.

        Args:
            operator: ONNX's name of the operator.
            inputs: Names of the values that it reads.
            name: Name of the result. Default: a new one.
            attributes: The operator's attributes.

        Returns:
            The name of the result.
        """
        name = name or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, value: float | int | Sequence[int]) -> str:
        """A constant: a float32 or int64 scalar, or an int64 vector.

        Args:
            value: A number, or a sequence of integers.

        Returns:
            Its name; equal constants are stored once.
        """
        array = np.asarray(value, np.float32 if isinstance(value, float) else np.int64)
        name = f"constant_{array.tolist()}".replace(" ", "")
        self._initializers[name] = numpy_helper.from_array(array, name)
        return name

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a weight.

        Args:
            name: The weight's name without the prefix.
        """
        return self._weights.entries[self._prefix + name].shape

    def weight(self, name: str) -> str:
        """A weight.

        Args:
            name: Its name in the file without the prefix.

        Returns:
            Its name in the graph, the same as in the file.
        """
        name = self._prefix + name
        entry = self._weights.entries[name]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=entry.shape)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": self._weights.path.name, "offset": entry.offset, "length": entry.length}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._initializers[name] = tensor
        return name

    def model(self, outputs: dict[str, Sequence[str | int]]) -> onnx.ModelProto:
        """The finished graph.

        Args:
            outputs: For each float32 result the names or sizes of its axes.
        """
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info(name, dtype, INPUT_AXES) for name, dtype in INPUTS.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name, axes in outputs.items()],
            list(self._initializers.values()),
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="metamapping",
        )
