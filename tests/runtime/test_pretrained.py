"""A plain Hugging Face folder is read without TensorFlow, and gives what TensorFlow gives."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from metamapping import Mapping
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.mapper import MetaMapper
from metamapping.adaptation.tuning import tuning_steps
from metamapping.errors import StoreError
from metamapping.interop import hugging_face
from metamapping.interop.families import FAMILIES
from metamapping.interop.family_format import FORMATS
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping
from metamapping.models.variables import model_variables
from metamapping.models.weight_delta import WeightDelta
from metamapping.publishing.pretrained_model import read_encoder
from metamapping.publishing.pretrained_runtime import PretrainedRuntimeModel
from metamapping.publishing.published_model import PublishedModel
from metamapping.runtime.graphs import GRAPH_FAMILIES
from metamapping.runtime.mapping import untrained_arrays
from metamapping.runtime.pretrained_weights import PretrainedWeights, pretrained_graph
from tests.interop.toy_families import TEXTS, random_backbone, write_tokenizer
from tests.processor import needs_int8

SENTENCES = [text.split() for text in TEXTS]
LABELS = ["parcel", "money", "parcel", "money"]

pytestmark = pytest.mark.filterwarnings("ignore:.*was not meta-trained")
# TensorFlow has to trace each of them, which takes seconds.
FAMILIES_TO_TEST = [
    family if family == "bert" else pytest.param(family, marks=pytest.mark.slow)
    for family in sorted(GRAPH_FAMILIES)
]


def write_pretrained(family, folder):
    write_tokenizer(family, folder)
    hugging_face.write_backbone(random_backbone(family), folder)
    return folder


@pytest.fixture(scope="module", params=FAMILIES_TO_TEST)
def folder(request, tmp_path_factory):
    return write_pretrained(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def mappers(folder):
    return {name: MetaMapper.from_pretrained(folder, backend=name) for name in ("auto", "tensorflow")}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return write_pretrained("bert", tmp_path_factory.mktemp("bert"))


@pytest.fixture
def copy(bert, tmp_path):
    return shutil.copytree(bert, tmp_path / "copy")


def features(mappers, compute):
    return [np.asarray(compute(mappers[name].featurizer)) for name in ("auto", "tensorflow")]


def rewrite(folder, change):
    """Write the weights of a folder again, as a function changes them."""
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors")


def configure(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_runtime_is_chosen_and_nothing_is_written(folder, mappers):
    assert isinstance(mappers["auto"].featurizer.model, PretrainedRuntimeModel)
    assert isinstance(mappers["tensorflow"].featurizer.model, PublishedModel)
    assert not list(folder.glob("*.onnx"))


@pytest.mark.parametrize(
    "compute",
    [
        lambda featurizer: featurizer.texts(TEXTS),
        lambda featurizer: featurizer.texts(TEXTS, TEXTS[::-1]),
        lambda featurizer: featurizer.words(SENTENCES)[0],
        lambda featurizer: featurizer.names(["a late parcel", "money"]),
    ],
    ids=["texts", "pairs", "words", "names"],
)
def test_features_agree(mappers, compute):
    runtime, tensorflow = features(mappers, compute)
    assert np.ptp(runtime, axis=0).max() > 0.05
    np.testing.assert_allclose(runtime, tensorflow, atol=1e-4)


def test_both_have_the_same_fingerprint(mappers):
    assert mappers["auto"].featurizer.fingerprint == mappers["tensorflow"].featurizer.fingerprint


def test_a_task_that_was_adapted_with_one_is_used_with_the_other(mappers, tmp_path):
    mapping = mappers["tensorflow"].adapt(TEXTS, LABELS)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mappers["auto"])
    np.testing.assert_allclose(loaded.predict_proba(TEXTS), mapping.predict_proba(TEXTS), atol=1e-4)
    runtime = mappers["auto"].adapt(TEXTS, LABELS)
    np.testing.assert_allclose(runtime.predict_proba(TEXTS), mapping.predict_proba(TEXTS), atol=1e-3)


def test_the_weights_have_the_names_and_values_that_keras_has(folder, mappers):
    encoder = mappers["tensorflow"].featurizer.model.encoder
    expected = {
        name: np.asarray(variable)
        for name, variable in model_variables(encoder, MetaMapping(encoder.dim)).items()
        if name.startswith("encoder/")
    }
    arrays = PretrainedWeights(folder).keras_arrays()
    assert arrays.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(arrays[name].reshape(values.shape), values, err_msg=name)


@pytest.mark.slow
def test_many_layers_have_the_names_that_keras_has():
    """The order of the fingerprint is that of the names, in which layer 10 comes before layer 2."""
    backbone = FAMILIES["bert"].backbone(
        vocabulary_size=9, num_layers=11, num_heads=1, hidden_dim=2, intermediate_dim=2, max_sequence_length=8
    )
    paths = [f"encoder/{path}" for part in FORMATS["bert"].parts(11) for path in part.keras_paths]
    assert sorted(paths) == sorted(model_variables(Encoder(backbone), MetaMapping(2)))[: len(paths)]


def test_the_untrained_mapping_is_that_of_training():
    variables = {variable.path.split("/")[-1]: np.asarray(variable) for variable in MetaMapping(4).weights}
    arrays = untrained_arrays(4)
    assert arrays.keys() == variables.keys()
    for name, values in variables.items():
        np.testing.assert_array_equal(arrays[name], values, err_msg=name)


def test_weights_under_other_names_are_the_same_encoder(bert, copy):
    """As Google's first files: a head, no prefix, no pooler, and gamma and beta."""

    def renamed(arrays):
        named = {name.removeprefix("bert."): array for name, array in arrays.items() if "pooler" not in name}
        named = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): each for name, each in named.items()}
        named = {name.replace("LayerNorm.bias", "LayerNorm.beta"): each for name, each in named.items()}
        return named | {"cls.predictions.bias": np.zeros(3, np.float32)}

    rewrite(copy, renamed)
    expected = MetaMapper.from_pretrained(bert).featurizer
    mappers = {name: MetaMapper.from_pretrained(copy, backend=name) for name in ("auto", "tensorflow")}
    np.testing.assert_array_equal(mappers["auto"].featurizer.texts(TEXTS), expected.texts(TEXTS))
    assert mappers["auto"].featurizer.fingerprint == mappers["tensorflow"].featurizer.fingerprint


def test_weights_of_16_bits_are_read_as_float32(copy):
    rewrite(copy, lambda arrays: {name: array.astype(np.float16) for name, array in arrays.items()})
    mappers = {name: MetaMapper.from_pretrained(copy, backend=name) for name in ("auto", "tensorflow")}
    runtime, tensorflow = features(mappers, lambda featurizer: featurizer.texts(TEXTS))
    np.testing.assert_allclose(runtime, tensorflow, atol=1e-4)
    assert mappers["auto"].featurizer.fingerprint == mappers["tensorflow"].featurizer.fingerprint


def test_bfloat16_is_the_upper_half_of_a_float32(copy):
    name = "bert.embeddings.LayerNorm.bias"
    values = np.asarray(load_file(copy / "model.safetensors")[name])
    halves = (values.view(np.uint32) >> 16).astype("<u2")
    rewrite(copy, lambda arrays: arrays | {name: halves})
    path = copy / "model.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header[name]["dtype"] = "BF16"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    read = PretrainedWeights(copy).array(name)
    np.testing.assert_allclose(read, values, rtol=2**-7)
    assert read.dtype == np.float32


def without(name):
    return lambda arrays: {each: array for each, array in arrays.items() if each != name}


def with_one(name, change):
    return lambda arrays: arrays | {name: change(arrays[name])}


QUERY = "bert.encoder.layer.1.attention.self.query.weight"


@pytest.mark.parametrize(
    ("config", "weights", "message"),
    [
        ({}, without(QUERY), f"there is no {QUERY}"),
        ({}, with_one(QUERY, lambda array: array[:-1].copy()), rf"{QUERY} is \(31, 32\), not \(32, 32\)"),
        ({}, with_one(QUERY, lambda array: array * np.nan), f"{QUERY} is not finite"),
        ({}, with_one(QUERY, lambda array: array.astype(np.int32)), "no floating-point array"),
        ({"num_hidden_layers": 10**12}, dict, r"there is no bert\.encoder\.layer\.2\."),
        ({"num_attention_heads": 5}, dict, "5 heads cannot share 32"),
        ({"num_attention_heads": "2"}, dict, "num_attention_heads is '2', expected a number above 0"),
        ({"vocab_size": 401}, dict, r"word_embeddings.weight is \(400, 32\), not \(401, 32\)"),
        ({"hidden_act": "relu"}, dict, "hidden_act is 'relu'"),
    ],
)
def test_what_does_not_fit_is_an_error(copy, config, weights, message):
    configure(copy, **config)
    rewrite(copy, weights)
    with pytest.raises(StoreError, match=message):
        read_encoder(copy)


def test_a_vocabulary_that_the_encoder_lacks_is_an_error(copy):
    configure(copy, vocab_size=20)
    rewrite(copy, with_one("bert.embeddings.word_embeddings.weight", lambda array: array[:20].copy()))
    with pytest.raises(StoreError, match=r"has a token \d+, but the encoder knows 20: download both again"):
        read_encoder(copy)


def test_other_folders_need_tensorflow(copy):
    configure(copy, model_type="albert")
    with pytest.raises(StoreError, match=r"is not a Hugging Face folder of bert, .*backend='tensorflow'"):
        read_encoder(copy, backend="runtime")
    with pytest.raises(ValueError, match="backend is 'torch', expected one of auto"):
        read_encoder(copy, backend="torch")


@needs_int8
def test_it_computes_with_8_bits_as_well(bert):
    exact, fast = (MetaMapper.from_pretrained(bert, backend=name).featurizer for name in ("runtime", "int8"))
    assert 0 < np.abs(exact.texts(TEXTS) - fast.texts(TEXTS)).max() < 0.1
    assert exact.fingerprint == fast.fingerprint


def test_a_task_is_exported(bert, tmp_path):
    mapping = MetaMapper.from_pretrained(bert).adapt(TEXTS, LABELS)
    session = onnxruntime.InferenceSession(mapping.export(tmp_path / "model.onnx"))
    ids = np.array([Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode(TEXTS[0]).ids], np.int32)
    inputs = {"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": np.ones_like(ids)}
    (probabilities,) = session.run(["probabilities"], inputs)
    np.testing.assert_allclose(probabilities, mapping.predict_proba(TEXTS[:1]), atol=1e-4)


def test_the_graph_is_that_of_a_published_folder(bert):
    weights = PretrainedWeights(bert)
    graph = pretrained_graph(weights, max_length_tokens=16)
    assert (graph.dim, graph.num_positions) == (32, 32)
    assert graph.token_table == "bert.embeddings.word_embeddings.weight"
    assert {name.split(".")[3] for name in graph.tunable if ".layer." in name} == {"0", "1"}
    assert graph.token_table not in graph.tunable


@pytest.mark.slow
def test_what_tuning_changes_is_the_same_on_both(mappers):
    featurizer = mappers["auto"].featurizer
    model = tuning_steps._tensorflow_model(featurizer.model.tokenizer_folder, featurizer.fingerprint)
    base, rng = model.encoder.tuned_layers(2).base, np.random.default_rng(0)
    tuned = {name: array + 0.1 * rng.normal(size=array.shape).astype("f4") for name, array in base.items()}
    delta = WeightDelta.between(base, tuned, rank=4)
    runtime, tensorflow = (each.tuned(delta).texts(TEXTS) for each in (featurizer, Featurizer(model)))
    assert np.abs(runtime - featurizer.texts(TEXTS)).max() > 0.01
    np.testing.assert_allclose(runtime, tensorflow, atol=1e-4)


def shard(folder):
    """Spread the weights of a folder over two files, in turns."""
    arrays = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = {weight: f"model-{i % 2}.safetensors" for i, weight in enumerate(sorted(arrays))}
    for file in set(files.values()):
        save_file({weight: arrays[weight] for weight in arrays if files[weight] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))


def test_weights_in_several_files_are_read_without_tensorflow(bert, copy):
    shard(copy)
    one, several = (read_encoder(folder) for folder in (bert, copy))
    assert isinstance(several, PretrainedRuntimeModel)
    assert several.fingerprint == one.fingerprint
    exact, read = (Featurizer(model).texts(TEXTS) for model in (one, several))
    np.testing.assert_array_equal(exact, read)


@pytest.mark.parametrize("name", ["../m.safetensors", "/etc/m.safetensors", "a\\m.safetensors", "m.bin", ""])
def test_an_index_cannot_name_files_elsewhere(copy, name):
    shard(copy)
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(StoreError, match=r"index\.json names no weights \(weight_map names .*same folder"):
        read_encoder(copy)


def test_a_weight_that_no_file_has_is_told(copy):
    shard(copy)
    save_file({"other": np.zeros(3, np.float32)}, copy / "model-1.safetensors")
    with pytest.raises(StoreError, match=r"index\.json does not fit .*config\.json: there is no bert\."):
        read_encoder(copy)
