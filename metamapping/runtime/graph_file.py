"""Graph file: writes ``model.onnx``, and reads one that a stranger may have written.

A graph is a program. What is read here can compute nothing but the forward pass of an encoder: it has the
inputs and outputs of ``runtime.graphs``, only the standard operators that those graphs use, and no
subgraphs, functions or operators of other domains. Its weights can only be the arrays of the
``model.safetensors`` next to it, which are read here, so that the engine never opens a path that the file
names. The sizes of all values follow from those of the weights, and are limited.

    write_graph(folder, build_graph("bert", config, weights))
    graph = read_graph(folder, weights, max_length_tokens=128)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import AttributeProto, TensorProto, numpy_helper
from onnx.checker import check_model, check_tensor
from onnx.shape_inference import infer_shapes

from metamapping.errors import StoreError, one_line
from metamapping.models.view_layout import NUM_VIEWS
from metamapping.runtime.graph_writer import INPUTS, IR_VERSION, OPSET
from metamapping.runtime.weight_file import WeightFile

GRAPH = "model.onnx"

# fmt: off
_OPERATORS = frozenset((
    "Add", "Cast", "Concat", "CumSum", "Div", "Gather", "Gelu", "Identity", "LayerNormalization",
    "LessOrEqual", "MatMul", "Max", "Mul", "ReduceSum", "Reshape", "Slice", "Softmax", "Sqrt", "Squeeze",
    "Sub", "Transpose", "Unsqueeze",
))
# fmt: on
_ATTRIBUTES = frozenset(
    (AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.STRING, AttributeProto.INTS)
)
# A BERT of 24 layers has about 1,000 nodes and a file of 150 KB.
_MAX_BYTES, _MAX_NODES, _MAX_CONSTANT_VALUES = 4_000_000, 20_000, 64
# Values of one text: attention has a square of the text's length for every head (64 of them are assumed),
# and no layer is wider than 65,536.
_MAX_HEADS, _MAX_WIDTH = 64, 65_536


@dataclass(frozen=True)
class Graph:
    """A graph that was checked.

    Attributes:
        data: The file's bytes.
        weights: The names of the weights that the engine has to be given.
        dim: Width of the encoder's states.
        num_positions: Length of the longest text that the encoder can read; ``None`` if that cannot be seen.
        token_table: The name of the weight with a row for each token; likewise.
        tunable: The names of the weights that tuning may change: all but the tables of embeddings.
    """

    data: bytes
    weights: tuple[str, ...]
    dim: int
    num_positions: int | None
    token_table: str | None
    tunable: tuple[str, ...]


class _UnsafeGraphError(ValueError):
    """What is wrong with a graph, as the end of a sentence that begins with the file's name."""


def write_graph(folder: Path, model: onnx.ModelProto) -> None:
    """Write a graph next to its weights.

    Args:
        folder: An existing folder with the file that the graph's weights refer to.
        model: The graph.
    """
    (folder / GRAPH).write_bytes(model.SerializeToString(deterministic=True))


def read_graph(folder: Path, weights: WeightFile, *, max_length_tokens: int) -> Graph:
    """Read a graph and check that it is nothing but an encoder with these weights.

    Args:
        folder: The folder of the graph.
        weights: The weights next to it.
        max_length_tokens: Length of the longest text, to which the sizes of values are computed.

    Raises:
        StoreError: The file is missing, damaged, or anything else than an encoder.
    """
    path = folder / GRAPH
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise StoreError(f"{path} is not a valid graph ({one_line(error)}): publish again") from error
    return check_graph(data, path, weights, max_length_tokens=max_length_tokens)


def check_graph(data: bytes, path: Path, weights: WeightFile, *, max_length_tokens: int) -> Graph:
    """Check that a graph is nothing but an encoder with these weights.

    Args:
        data: The bytes of its file.
        path: The file, for messages.
        weights: The weights next to it.
        max_length_tokens: Length of the longest text, to which the sizes of values are computed.

    Raises:
        StoreError: The graph is damaged, or anything else than an encoder.
    """
    try:
        if len(data) > _MAX_BYTES:
            raise _UnsafeGraphError(f"has more than {_MAX_BYTES} bytes")
        model = onnx.load_model_from_string(data)
        _check_model(model)
        external = _check_initializers(model, weights)
        _check_nodes(model)
        dim = _check_sizes(model, max_length_tokens)
    except _UnsafeGraphError as error:
        raise StoreError(f"{path} {error}: publish again with this release of metamapping") from error
    except Exception as error:  # protobuf and onnx raise many types for a damaged file
        raise StoreError(f"{path} is not a valid graph ({one_line(error)}): publish again") from error
    return Graph(data, external, dim, *_limits(model), _tunable(model, external))


def _check_model(model: onnx.ModelProto) -> None:
    """The parts of the file besides operations and weights: none but those that ``graph_writer`` writes."""
    graph, opsets = model.graph, [(each.domain, each.version) for each in model.opset_import]
    if model.ir_version != IR_VERSION or opsets != [("", OPSET)]:
        raise _UnsafeGraphError(
            f"needs the operators {opsets!r:.80} in version {model.ir_version} of the format; this release "
            f"reads {[('', OPSET)]} in version {IR_VERSION}"
        )
    unknown = {
        "functions": model.functions,
        "training steps": model.training_info,
        "sparse weights": graph.sparse_initializer,
        "quantized values": graph.quantization_annotation,
    }
    for name, parts in unknown.items():
        if len(parts):
            raise _UnsafeGraphError(f"has {name}, which an encoder's graph does not have")
    inputs = {each.name: each.type.tensor_type for each in graph.input}
    kinds = {name: (kind.elem_type, len(kind.shape.dim)) for name, kind in inputs.items()}
    expected = {name: (dtype, 2) for name, dtype in INPUTS.items()}
    if kinds != expected or len(graph.input) != len(expected):
        raise _UnsafeGraphError(f"has the inputs {list(kinds)!r:.200}, expected {list(expected)}")
    if sorted(each.name for each in graph.output) != ["last", "lower", "texts"]:
        names = [each.name for each in graph.output]
        raise _UnsafeGraphError(f"has the outputs {names!r:.200}, expected texts, last and lower")


def _check_initializers(model: onnx.ModelProto, weights: WeightFile) -> tuple[str, ...]:
    """The names of the weights, each of which is exactly one array of the file next to the graph."""
    external, seen = [], set(INPUTS)
    for tensor in model.graph.initializer:
        if tensor.name in seen or not tensor.name:
            raise _UnsafeGraphError(f"has two values named {tensor.name!r:.80}")
        seen.add(tensor.name)
        if tensor.data_location == TensorProto.EXTERNAL:
            _check_external(tensor, weights)
            external.append(tensor.name)
        elif tensor.external_data or tensor.HasField("segment"):
            raise _UnsafeGraphError(f"has the constant {tensor.name!r:.80} in several places")
        elif tensor.data_type not in (TensorProto.FLOAT, TensorProto.INT64) or (
            len(tensor.dims) > 1 or math.prod(tensor.dims) > _MAX_CONSTANT_VALUES
        ):
            raise _UnsafeGraphError(f"has the constant {tensor.name!r:.80}, expected a few numbers")
        else:
            check_tensor(tensor)
    return tuple(external)


def _check_external(tensor: TensorProto, weights: WeightFile) -> None:
    place = {entry.key: entry.value for entry in tensor.external_data}
    entry = weights.entries.get(tensor.name)
    expected = entry and {
        "location": weights.path.name,
        "offset": str(entry.offset),
        "length": str(entry.length),
    }
    if (
        entry is None
        or place != expected
        or len(tensor.external_data) != len(place)
        or tensor.data_type != TensorProto.FLOAT
        or tuple(tensor.dims) != entry.shape
        or tensor.raw_data
    ):
        raise _UnsafeGraphError(
            f"reads the weight {tensor.name!r:.80} from {place!r:.200}, expected the array of this name in "
            f"{weights.path.name}"
        )


def _check_nodes(model: onnx.ModelProto) -> None:
    if len(model.graph.node) > _MAX_NODES:
        raise _UnsafeGraphError(f"has {len(model.graph.node)} operations, expected at most {_MAX_NODES}")
    for node in model.graph.node:
        if node.domain or node.op_type not in _OPERATORS:
            raise _UnsafeGraphError(
                f"uses the operator {f'{node.domain}:{node.op_type}'!r:.80}, which an encoder does not need"
            )
        for attribute in node.attribute:
            if attribute.type not in _ATTRIBUTES or attribute.ref_attr_name or len(attribute.ints) > 8:
                raise _UnsafeGraphError(
                    f"gives the operator {node.op_type} the attribute {attribute.name!r:.80}, which is not a "
                    "few numbers"
                )


def _check_sizes(model: onnx.ModelProto, max_length_tokens: int) -> int:
    """Check the sizes of all values for one text of the maximum length; returns the width of states."""
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    graph = sized.graph
    for each in graph.input:
        for axis, size in zip(each.type.tensor_type.shape.dim, (1, max_length_tokens), strict=True):
            axis.dim_value = size
    # Weights become inputs, so that nothing tries to read them.
    constants = [each for each in graph.initializer if each.data_location != TensorProto.EXTERNAL]
    for each in graph.initializer:
        if each.data_location == TensorProto.EXTERNAL:
            graph.input.append(onnx.helper.make_tensor_value_info(each.name, each.data_type, each.dims))
    del graph.initializer[:]
    graph.initializer.extend(constants)
    for each in graph.output:  # what the file says of results is inferred instead
        for axis in each.type.tensor_type.shape.dim:
            axis.Clear()
    del graph.value_info[:]
    check_model(sized)
    inferred = infer_shapes(sized, check_type=True, strict_mode=True, data_prop=True).graph
    limit = max_length_tokens * max(_MAX_HEADS * max_length_tokens, _MAX_WIDTH)
    shapes = {each.name: _shape(each, limit) for each in (*inferred.value_info, *inferred.output)}
    weights = {each.name: math.prod(_shape(each, None)) for each in graph.input}
    limit = max([limit, *weights.values()])
    for node in graph.node:
        for name in node.output:
            if math.prod(shapes.get(name, (limit + 1,))) > limit:
                raise _UnsafeGraphError(
                    f"has the value {name!r:.80} of size {shapes.get(name)}, expected a known size of at "
                    f"most {limit} numbers"
                )
    dim = shapes["last"][-1] if shapes["last"] else 0
    states = (1, max_length_tokens, dim)
    if (shapes["last"], shapes["lower"], shapes["texts"]) != (
        states,
        states,
        (1, NUM_VIEWS * dim),
    ) or not dim:
        raise _UnsafeGraphError(
            f"returns last {shapes['last']}, lower {shapes['lower']} and texts {shapes['texts']}, which are "
            "not the views of an encoder"
        )
    return dim


def _limits(model: onnx.ModelProto) -> tuple[int | None, str | None]:
    """The number of positions that the encoder knows, and its table of tokens.

    The engine checks every index as well, but in the middle of an encoding.
    """
    graph = model.graph
    num_rows = {each.name: each.dims[0] for each in graph.initializer if each.dims}
    constants = {
        each.name: float(numpy_helper.to_array(each))
        for each in graph.initializer
        if not each.dims and each.data_location != TensorProto.EXTERNAL
    }
    made_by = {node.output[0]: node for node in graph.node}
    num_positions = token_table = None
    for node in graph.node:
        if node.op_type != "Gather" or node.input[0] not in num_rows:
            continue
        if node.input[1] == "token_ids":
            token_table = node.input[0]
        cast = made_by.get(node.input[1])
        row = made_by.get(cast.input[0]) if cast is not None and cast.op_type == "Cast" else None
        if row is not None and row.op_type == "Sub" and row.input[1] in constants:
            # The first token has the number 1.
            num_positions = num_rows[node.input[0]] - 1 + int(constants[row.input[1]])
    return num_positions, token_table


def _tunable(model: onnx.ModelProto, weights: tuple[str, ...]) -> tuple[str, ...]:
    """The weights in which no rows are looked up, which those of all layers are."""
    tables = {node.input[0] for node in model.graph.node if node.op_type == "Gather"}
    return tuple(name for name in weights if name not in tables)


def _shape(value: onnx.ValueInfoProto, limit: int | None) -> tuple[int, ...]:
    """The sizes of a value's axes; above the limit where they are not known."""
    axes = value.type.tensor_type.shape.dim
    unknown = 0 if limit is None else limit + 1
    return tuple(axis.dim_value if axis.HasField("dim_value") else unknown for axis in axes)
