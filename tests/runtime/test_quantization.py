"""Dense layers of 8 bits change features a little, and every text's by itself."""

import numpy as np
import onnx
import pytest

from metamapping.corpus.ragged import Ragged
from metamapping.runtime import encoder
from metamapping.runtime.encoder import RuntimeEncoder
from metamapping.runtime.graph_file import GRAPH, read_graph, write_graph
from metamapping.runtime.graphs import build_graph
from metamapping.runtime.quantization import products_overflow, quantized
from metamapping.runtime.weight_file import WeightFile
from tests.runtime.test_hostile_graphs import CONFIG, LENGTH, write_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantized")
    write_weights(folder / "model.safetensors")
    weights = WeightFile(folder / "model.safetensors")
    write_graph(folder, build_graph("bert", CONFIG, weights))
    return weights


@pytest.fixture(scope="module")
def encoders(weights):
    if products_overflow():
        pytest.skip("this processor has no exact products of 8-bit integers")
    graph = read_graph(weights.path.parent, weights, max_length_tokens=LENGTH)
    return [RuntimeEncoder(graph, weights, precision=each) for each in ("float32", "int8")]


def random_texts():
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 30, size=length).tolist() for length in rng.integers(1, LENGTH, size=40)]
    token_ids = Ragged.from_lists(rows, np.int32)
    return token_ids, Ragged(np.zeros_like(token_ids.values), token_ids.offsets)


def test_features_are_close_to_those_in_float32(encoders):
    exact, close = (each.encode(*random_texts()) for each in encoders)
    differences = np.abs(exact - close)
    assert 0 < differences.mean() < 0.02
    cosines = (exact * close).sum(axis=-1) / np.linalg.norm(exact, axis=-1) / np.linalg.norm(close, axis=-1)
    assert cosines.min() > 0.99


def test_a_processor_whose_products_overflow_is_an_error(weights, monkeypatch):
    graph = read_graph(weights.path.parent, weights, max_length_tokens=LENGTH)
    monkeypatch.setattr(encoder, "products_overflow", lambda: True)
    with pytest.raises(ValueError, match="overflow: use backend='runtime'"):
        RuntimeEncoder(graph, weights, precision="int8")


def test_words_have_features_too(encoders):
    token_ids, segment_ids = random_texts()
    starts = Ragged.from_lists([[0]] * len(token_ids), np.int32)
    exact, close = (each.encode(token_ids, segment_ids, starts) for each in encoders)
    assert exact.shape == close.shape == (len(token_ids), encoders[0].word_dim)
    assert 0 < np.abs(exact - close).mean() < 0.05


def test_a_text_has_the_same_features_alone_and_among_others(encoders):
    token_ids, segment_ids = random_texts()
    together = encoders[1].encode(token_ids, segment_ids)
    for row in range(10):
        rows = np.array([row])
        alone = encoders[1].encode(token_ids.take(rows), segment_ids.take(rows))
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_all_dense_layers_and_nothing_else_are_integers(weights):
    exact = onnx.load_model_from_string((weights.path.parent / GRAPH).read_bytes())
    model = quantized(exact, weights)
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("MatMulIntegerToFloat") == 6
    # Two products of attention, and one for each of the three views.
    assert operators.count("MatMul") == [n.op_type for n in exact.graph.node].count("MatMul") - 6
    # Query, key and value share their inputs.
    assert operators.count("QuantizeLinear") == 4
    kernels = {each.name for each in model.graph.initializer if "dense.weight" in each.name}
    assert not kernels
