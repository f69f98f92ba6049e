"""Task graph: an encoder with the mapping of one task as one ONNX graph, from token ids to probabilities.

model = task_graph(graph, weights, head=TaskHead(kernel, bias, scale, ("a", "b")))
model.SerializeToString()            # inputs token_ids, segment_ids, padding_mask; output probabilities
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from metamapping.models.weight_delta import WeightDelta
from metamapping.runtime.graph_file import Graph
from metamapping.runtime.weight_file import WeightFile

# A file of protobuf cannot be larger than 2 GiB.
_MAX_BYTES = 2**31 - 2**24


@dataclass(frozen=True)
class TaskHead:
    """The mapping of a task on top of the views of texts.

    Attributes:
        kernel: Float32 ``(text_dim, num_labels)``.
        bias: Float32 ``(num_labels,)``.
        scale: The inverse temperature, by which scores are multiplied.
        labels: The labels in the order of the columns, as values of JSON.
        is_ordinal: Whether the labels are grades, in their order.
        cuts: Of grades the logits that a text is graded no higher than each cut: kernel
            ``(text_dim, num_labels - 1)`` and bias. The probabilities are then a weighted mean of what the
            scores and the cuts say.
        cut_share: The weight of the cuts in it.
    """

    kernel: np.ndarray
    bias: np.ndarray
    scale: float
    labels: tuple[Any, ...]
    is_ordinal: bool = False
    cuts: tuple[np.ndarray, np.ndarray] | None = None
    cut_share: float = 0.5


def task_graph(
    checked: Graph, weights: WeightFile, *, head: TaskHead, delta: WeightDelta | None = None
) -> onnx.ModelProto:
    """The whole computation of a task as one graph, with all weights in it.

    Args:
        checked: The graph of the encoder.
        weights: Its weights.
        head: The task's mapping.
        delta: What tuning changed in the encoder, if the task is a tuned one.

    Returns:
        A graph of the inputs ``token_ids``, ``segment_ids`` and ``padding_mask``, int32 ``(texts, tokens)``,
        and the output ``probabilities``, float32 ``(texts, labels)``. Its metadata has ``labels`` as
        JSON, and ``is_ordinal`` for grades.

    Raises:
        ValueError: The weights do not fit into one file.
    """
    if sum(4 * math.prod(weights.entries[name].shape) for name in checked.weights) > _MAX_BYTES:
        raise ValueError(
            f"{weights.path} has more than 2 GB of weights, which one ONNX file cannot hold: use the folder"
        )
    tuned = {}
    if delta is not None:
        base = {name: weights.array(name) for name in checked.tunable if name in delta.names}
        delta.check_fits({name: array.shape for name, array in base.items()})
        tuned = delta.added_to(base)
    model = onnx.load_model_from_string(checked.data)
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            array = tuned[tensor.name] if tensor.name in tuned else weights.array(tensor.name)
            tensor.raw_data = array.astype("<f4", copy=False).tobytes()
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    inputs = [each for each in graph.input if each.name != "pool"]
    nodes = [each for each in graph.node if each.output[0] not in ("last", "lower")]
    probabilities = helper.make_tensor_value_info(
        "probabilities", TensorProto.FLOAT, ("texts", len(head.labels))
    )
    for field, values in (
        ("input", inputs),
        ("node", [*_pool(), *nodes, *_probabilities(has_cuts=head.cuts is not None)]),
        ("output", [probabilities]),
    ):
        kept = [type(value).FromString(value.SerializeToString()) for value in values]
        graph.ClearField(field)
        getattr(graph, field).extend(kept)
    constants = {
        "task_axis": np.array([1], np.int64),
        "task_one": np.float32(1.0),
        "task_kernel": np.float32(head.scale) * head.kernel.astype(np.float32),
        "task_bias": np.float32(head.scale) * head.bias.astype(np.float32),
    }
    if head.cuts is not None:
        constants |= _cut_constants(*head.cuts, share=head.cut_share)
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
    )
    grades = {"is_ordinal": "true"} if head.is_ordinal else {}
    helper.set_model_props(model, {"labels": json.dumps(list(head.labels), ensure_ascii=False)} | grades)
    return model


def _pool() -> list[onnx.NodeProto]:
    """What computes ``pool``: the second text of a pair, all tokens of a single text."""
    return [
        helper.make_node("Cast", ["segment_ids"], ["task_segments"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["padding_mask"], ["task_mask"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["task_segments", "task_axis"], ["task_is_pair"], keepdims=1),
        helper.make_node("Sub", ["task_one", "task_is_pair"], ["task_is_single"]),
        helper.make_node("Mul", ["task_mask", "task_is_single"], ["task_of_single"]),
        helper.make_node("Add", ["task_segments", "task_of_single"], ["pool"]),
    ]


def _probabilities(*, has_cuts: bool) -> list[onnx.NodeProto]:
    by_scores = "task_by_scores" if has_cuts else "probabilities"
    nodes = [
        helper.make_node("MatMul", ["texts", "task_kernel"], ["task_products"]),
        helper.make_node("Add", ["task_products", "task_bias"], ["task_logits"]),
        helper.make_node("Softmax", ["task_logits"], [by_scores], axis=-1),
    ]
    if not has_cuts:
        return nodes
    return [
        *nodes,
        helper.make_node("MatMul", ["texts", "task_cut_kernel"], ["task_cut_products"]),
        helper.make_node("Add", ["task_cut_products", "task_cut_bias"], ["task_cut_logits"]),
        helper.make_node("Sigmoid", ["task_cut_logits"], ["task_below"]),
        helper.make_node("MatMul", ["task_below", "task_steps"], ["task_differences"]),
        helper.make_node("Add", ["task_differences", "task_last"], ["task_by_cuts"]),
        helper.make_node("Mul", [by_scores, "task_score_share"], ["task_part_of_scores"]),
        helper.make_node("Mul", ["task_by_cuts", "task_cut_share"], ["task_part_of_cuts"]),
        helper.make_node("Add", ["task_part_of_scores", "task_part_of_cuts"], ["probabilities"]),
    ]


def _cut_constants(kernel: np.ndarray, bias: np.ndarray, *, share: float) -> dict[str, Any]:
    """What turns the features into the probabilities that the cuts give each grade."""
    num_cuts = len(bias)
    # A grade's probability is what lies below its upper cut less what lies below its lower one.
    steps = np.eye(num_cuts, num_cuts + 1) - np.eye(num_cuts, num_cuts + 1, k=1)
    return {
        "task_cut_kernel": kernel.astype(np.float32),
        "task_cut_bias": bias.astype(np.float32),
        "task_steps": steps.astype(np.float32),
        "task_last": (np.arange(num_cuts + 1) == num_cuts).astype(np.float32),
        "task_score_share": np.float32(1.0 - share),
        "task_cut_share": np.float32(share),
    }
