"""Quantization: a checked graph whose dense layers multiply integers of 8 bits instead of float32.

Weights have one scale for each output. Activations get a scale for each token while the graph runs, so that
a text's features do not depend on the texts that are encoded with it, as they would with one scale for the
whole batch. Everything else, attention and normalization among it, stays in float32.

    model = quantized(model, weights)        # it has the weights of the dense layers, as integers
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from metamapping.runtime.graph_writer import IR_VERSION, OPSET
from metamapping.runtime.weight_file import WeightFile

# Activations lie around a zero point, since the fastest kernels multiply unsigned by signed integers.
_MAX_WEIGHT, _MAX_ACTIVATION, _ZERO_POINT = 127, 127, 128
# Inputs, outputs and rows of the product that shows whether the processor adds exactly.
_PROBE_SHAPE, _PROBE_ROWS = (64, 16), 8
# onnxruntime's own operators.
_ENGINE_DOMAIN = "com.microsoft"
# A token whose activations are all zero has a scale nevertheless.
_MIN_SCALE = 1e-12


def quantized(model: onnx.ModelProto, weights: WeightFile) -> onnx.ModelProto:
    """The same graph with quantized dense layers.

    Args:
        model: A graph that ``graph_file.read_graph`` has checked.
        weights: The file with its weights.

    Returns:
        A new graph. Its other weights are still those of the file.
    """
    external = {each.name for each in model.graph.initializer if each.data_location == TensorProto.EXTERNAL}
    transposed = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "Transpose" and node.input[0] in external
    }
    writer = _Writer(weights, external, transposed)
    nodes = [each for node in model.graph.node for each in writer.replaced(node)]
    result = onnx.ModelProto()
    result.CopyFrom(model)
    result.opset_import.append(helper.make_opsetid(_ENGINE_DOMAIN, 1))
    read = {name for node in nodes for name in node.input}
    kept = [each for each in model.graph.initializer if each.name in read]
    for field, values in (
        ("node", [node for node in nodes if node.op_type != "Transpose" or node.output[0] in read]),
        ("initializer", [*kept, *writer.initializers]),
    ):
        result.graph.ClearField(field)
        getattr(result.graph, field).extend(values)
    # A weight that only a dropped transposition has read is not needed either.
    read = {name for node in result.graph.node for name in node.input}
    for each in [each for each in result.graph.initializer if each.name not in read]:
        result.graph.initializer.remove(each)
    return result


def products_overflow() -> bool:
    """Whether this processor's products of 8-bit integers are wrong where they are large.

    Without VNNI, x86 processors add pairs of products in 16 bits. Weights of 7 bits would be exact
    everywhere, but cost a point of accuracy (benchmarks/README.md).
    """
    kernel = np.full(_PROBE_SHAPE, _MAX_WEIGHT, np.int8)
    graph = helper.make_graph(
        [_node("MatMulInteger", ["inputs", "kernel"], "sums")],
        "probe",
        [helper.make_tensor_value_info("inputs", TensorProto.UINT8, (_PROBE_ROWS, _PROBE_SHAPE[0]))],
        [helper.make_tensor_value_info("sums", TensorProto.INT32, (_PROBE_ROWS, _PROBE_SHAPE[1]))],
        [_constant("kernel", kernel)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = np.full((_PROBE_ROWS, _PROBE_SHAPE[0]), 255, np.uint8)
    (sums,) = session.run(None, {"inputs": inputs})
    return bool((sums != inputs.astype(np.int32) @ kernel.astype(np.int32)).any())


class _Writer:
    """Writes the operations of quantized layers."""

    def __init__(self, weights: WeightFile, external: set[str], transposed: dict[str, str]) -> None:
        self._weights, self._external, self._transposed = weights, external, transposed
        self._quantized: dict[str, tuple[str, str]] = {}
        self.initializers = [
            _constant("int8_axis", np.array([-1], np.int64)),
            _constant("int8_levels", np.float32(1 / _MAX_ACTIVATION)),
            _constant("int8_least", np.float32(_MIN_SCALE)),
            _constant("int8_one", np.float32(1)),
            _constant("int8_zero", np.uint8(_ZERO_POINT)),
        ]

    def replaced(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """What computes the result of an operation: itself, unless it is a product with a weight."""
        kernel = self._kernel(node)
        if kernel is None:
            return [node]
        values, output = node.input[0], node.output[0]
        nodes = [] if values in self._quantized else self._activations(values)
        integers, scale = self._quantized[values]
        self.initializers += [
            _constant(f"{output}_kernel", kernel[0]),
            _constant(f"{output}_scale", kernel[1]),
        ]
        return [
            *nodes,
            # The product with a scale for each output in one pass; that of the token is not known before.
            _node(
                "MatMulIntegerToFloat",
                [integers, f"{output}_kernel", "int8_one", f"{output}_scale", "int8_zero"],
                f"{output}_of_token",
                domain=_ENGINE_DOMAIN,
            ),
            _node("Mul", [f"{output}_of_token", scale], output),
        ]

    def _kernel(self, node: onnx.NodeProto) -> tuple[np.ndarray, np.ndarray] | None:
        """The integers ``(inputs, outputs)`` of a layer's weight, and their scales ``(outputs,)``."""
        if node.op_type != "MatMul":
            return None
        name = node.input[1]
        weight = self._transposed.get(name, name)
        if weight not in self._external:
            return None
        values = self._weights.array(weight)
        values = values.T if name in self._transposed else values
        if values.ndim != 2:
            return None
        scales = np.maximum(np.abs(values).max(axis=0) / _MAX_WEIGHT, _MIN_SCALE).astype(np.float32)
        return np.rint(values / scales).astype(np.int8), scales

    def _activations(self, values: str) -> list[onnx.NodeProto]:
        """What computes the integers of a layer's inputs, and the scale of each token."""
        name = f"{values}_int8"
        self._quantized[values] = f"{name}_integers", f"{name}_scale"
        return [
            _node("Abs", [values], f"{name}_sizes"),
            _node("ReduceMax", [f"{name}_sizes", "int8_axis"], f"{name}_largest", keepdims=1),
            _node("Mul", [f"{name}_largest", "int8_levels"], f"{name}_step"),
            _node("Max", [f"{name}_step", "int8_least"], f"{name}_scale"),
            _node("Div", [values, f"{name}_scale"], f"{name}_scaled"),
            _node("QuantizeLinear", [f"{name}_scaled", "int8_one", "int8_zero"], f"{name}_integers"),
        ]


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], name=output, **attributes)


def _constant(name: str, value: np.ndarray | np.generic) -> TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name)
