"""A graph that does anything but encode with the weights next to it is refused before it is run."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from metamapping.corpus.ragged import Ragged
from metamapping.errors import StoreError
from metamapping.runtime.encoder import RuntimeEncoder
from metamapping.runtime.graph_file import GRAPH, read_graph, write_graph
from metamapping.runtime.graphs import build_graph
from metamapping.runtime.weight_file import WeightFile

DIM, LENGTH = 8, 12
CONFIG = {"num_hidden_layers": 1, "num_attention_heads": 2}


def write_weights(path):
    """Random weights of a BERT of one layer."""
    rng = np.random.default_rng(0)
    square, layer = (DIM, DIM), "encoder.layer.0"
    dense = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
    shapes = {f"{name}.weight": square for name in [*dense, f"{layer}.attention.output.dense"]}
    shapes |= {f"{layer}.intermediate.dense.weight": (16, DIM), f"{layer}.output.dense.weight": (DIM, 16)}
    shapes |= {name.replace("weight", "bias"): shape[:1] for name, shape in shapes.items()}
    norms = ["embeddings", f"{layer}.attention.output", f"{layer}.output"]
    shapes |= {f"{norm}.LayerNorm.{part}": (DIM,) for norm in norms for part in ("weight", "bias")}
    tables = {"word": 30, "position": 16, "token_type": 2}
    shapes |= {f"embeddings.{table}_embeddings.weight": (rows, DIM) for table, rows in tables.items()}
    arrays = {f"bert.{name}": rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(arrays, path)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graph")
    write_weights(folder / "model.safetensors")
    write_graph(folder, build_graph("bert", CONFIG, WeightFile(folder / "model.safetensors")))
    return folder


@pytest.fixture
def folder(honest, tmp_path):
    return shutil.copytree(honest, tmp_path / "graph")


def read(folder):
    return read_graph(folder, WeightFile(folder / "model.safetensors"), max_length_tokens=LENGTH)


def refuse(folder, match):
    with pytest.raises(StoreError, match=match):
        read(folder)


def change(folder, function):
    """Apply a function to the graph of a folder, in place."""
    model = onnx.load_model(folder / GRAPH, load_external_data=False)
    function(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def weight_of(model):
    return next(each for each in model.graph.initializer if each.external_data)


def test_an_honest_graph_is_read_with_its_sizes(honest):
    graph = read(honest)
    assert (graph.dim, graph.num_positions) == (DIM, 16)
    assert graph.token_table == "bert.embeddings.word_embeddings.weight"
    assert len(graph.weights) == len(set(graph.weights)) == 21


def test_every_weight_is_read_from_the_file_next_to_the_graph(honest, folder):
    """The engine computes with the arrays of the file, not with anything that the graph holds."""
    ids = Ragged.from_lists([[3, 4, 5]], np.int32)

    def texts(place):
        weights = WeightFile(place / "model.safetensors")
        return RuntimeEncoder(read(place), weights).encode(ids, Ragged(0 * ids.values, ids.offsets))

    before = texts(folder)
    np.testing.assert_array_equal(before, texts(honest))
    arrays = {
        name: np.array(WeightFile(folder / "model.safetensors").array(name)) for name in read(folder).weights
    }
    arrays["bert.embeddings.word_embeddings.weight"] *= np.linspace(-1, 1, DIM, dtype=np.float32)
    save_file(arrays, folder / "model.safetensors")
    assert np.abs(texts(folder) - before).max() > 1e-3


def test_a_graph_of_a_missing_file_is_an_error(tmp_path, honest):
    with pytest.raises(StoreError, match=r"model\.onnx is not a valid graph"):
        read_graph(tmp_path, WeightFile(honest / "model.safetensors"), max_length_tokens=LENGTH)


@pytest.mark.parametrize(
    "place", ["/etc/passwd", "../model.safetensors", "other.safetensors", "./model.safetensors", ""]
)
def test_weights_of_another_file_are_refused(folder, place):
    def point_elsewhere(model):
        next(e for e in weight_of(model).external_data if e.key == "location").value = place

    change(folder, point_elsewhere)
    refuse(folder, r"expected the array of this name in model\.safetensors")


@pytest.mark.parametrize(("key", "value"), [("offset", "0"), ("length", "99999999999"), ("checksum", "0")])
def test_another_part_of_the_file_is_refused(folder, key, value):
    def point_elsewhere(model):
        entries = weight_of(model).external_data
        known = [each for each in entries if each.key == key]
        (known[0] if known else entries.add(key=key)).value = value

    change(folder, point_elsewhere)
    refuse(folder, "expected the array of this name")


def test_a_second_location_is_refused(folder):
    change(folder, lambda model: weight_of(model).external_data.add(key="location", value="/etc/passwd"))
    refuse(folder, "expected the array of this name")


@pytest.mark.parametrize(
    "change_tensor", [lambda t: t.dims.insert(0, 1), lambda t: setattr(t, "data_type", 7)]
)
def test_weights_of_another_shape_or_type_are_refused(folder, change_tensor):
    change(folder, lambda model: change_tensor(weight_of(model)))
    refuse(folder, "expected the array of this name")


def test_a_weight_that_the_file_lacks_is_refused(folder):
    change(folder, lambda model: setattr(weight_of(model), "name", "bert.other"))
    refuse(folder, r"reads the weight 'bert\.other'")


@pytest.mark.parametrize(
    ("operator", "domain"),
    [("If", ""), ("Loop", ""), ("Expand", ""), ("Tile", ""), ("Gelu", "com.microsoft"), ("Add", "evil.ops")],
)
def test_other_operators_are_refused(folder, operator, domain):
    node = helper.make_node(operator, ["last", "last"], ["more"], domain=domain)
    change(folder, lambda model: model.graph.node.append(node))
    refuse(folder, "which an encoder does not need")


def test_subgraphs_and_tensors_in_attributes_are_refused(folder):
    def add(model):
        values = numpy_helper.from_array(np.zeros(1000, np.float32))
        model.graph.node[0].attribute.append(helper.make_attribute("value", values))

    change(folder, add)
    refuse(folder, "which is not a few numbers")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda model: model.functions.add(name="f"), "has functions"),
        (lambda model: model.training_info.add(), "has training steps"),
        (lambda model: model.graph.sparse_initializer.add(), "has sparse weights"),
        (lambda model: model.opset_import.add(domain="evil.ops", version=1), "needs the operators"),
        (lambda model: setattr(model, "ir_version", 99), "needs the operators"),
        (lambda model: model.graph.input.add(name="more"), "has the inputs"),
        (lambda model: model.graph.output.pop(), "has the outputs"),
    ],
)
def test_other_parts_of_a_model_are_refused(folder, function, message):
    change(folder, function)
    refuse(folder, message)


def test_large_constants_are_refused(folder):
    tensor = numpy_helper.from_array(np.zeros(1_000, np.float32), "large")
    change(folder, lambda model: model.graph.initializer.append(tensor))
    refuse(folder, "has the constant 'large', expected a few numbers")


def test_a_constant_that_claims_to_be_large_is_refused(folder):
    tensor = TensorProto(name="claims", data_type=TensorProto.FLOAT, dims=[2**40])
    change(folder, lambda model: model.graph.initializer.append(tensor))
    refuse(folder, "has the constant 'claims', expected a few numbers")


def test_a_product_of_all_tokens_with_all_words_of_the_table_is_refused(folder):
    """Broadcasting makes large values of small ones."""

    def multiply(model):
        column = "bert.embeddings.word_embeddings.weight"
        for i, size in enumerate((240, 240**2, 240**4)):  # 3.3 billion numbers from a table of 240
            shape = numpy_helper.from_array(np.array([size, 1], np.int64), f"shape{i}")
            model.graph.initializer.append(shape)
            for operator, inputs, output, attributes in (
                ("Reshape", [column, shape.name], f"column{i}", {}),
                ("Transpose", [f"column{i}"], f"row{i}", {"perm": [1, 0]}),
                ("Add", [f"column{i}", f"row{i}"], f"table{i}", {}),
            ):
                model.graph.node.append(helper.make_node(operator, inputs, [output], **attributes))
            column = f"table{i}"

    change(folder, multiply)
    refuse(folder, "expected a known size of at most")


def test_values_whose_size_depends_on_the_texts_in_another_way_are_refused(folder):
    def slice_by_tokens(model):
        model.graph.node.append(helper.make_node("Cast", ["token_ids"], ["wide"], to=TensorProto.INT64))
        model.graph.node.append(helper.make_node("Reshape", ["last", "wide"], ["any"]))

    change(folder, slice_by_tokens)
    refuse(folder, r"model\.onnx")


def test_results_of_another_shape_are_refused(folder):
    def swap(model):
        for node in model.graph.node:
            if node.output[0] == "lower":
                node.input[0] = "token_ids"

    change(folder, swap)
    refuse(folder, r"model\.onnx")


def test_too_large_a_file_is_refused(folder):
    with (folder / GRAPH).open("ab") as file:
        file.truncate(5_000_000)
    refuse(folder, "has more than 4000000 bytes")


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not a graph", json.dumps({}).encode()])
def test_other_files_are_refused(folder, content):
    (folder / GRAPH).write_bytes(content)
    refuse(folder, r"model\.onnx")


def test_damaged_graphs_are_refused_or_read_and_never_crash(folder):
    """Three hundred graphs with changed bytes: each is refused, or is one that the engine can run."""
    original, rng = (folder / GRAPH).read_bytes(), np.random.default_rng(0)
    weights, refused = WeightFile(folder / "model.safetensors"), 0
    for _ in range(300):
        data = bytearray(original)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            data[at] = rng.integers(0, 256)
        (folder / GRAPH).write_bytes(data)
        try:
            RuntimeEncoder(read_graph(folder, weights, max_length_tokens=LENGTH), weights)
        except StoreError:
            refused += 1
    assert 100 < refused < 300
