"""The runtime and TensorFlow compute the same features and the same predictions, for every family."""

import shutil

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.config.corpus import CleaningSpec
from metamapping.errors import StoreError
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers.vector_layout import SPEEDUP
from metamapping.publishing.published_model import Provenance, PublishedModel, read_published, write_published
from metamapping.publishing.runtime_model import RuntimeModel, load_model
from metamapping.runtime.graphs import GRAPH_FAMILIES
from metamapping.storage.artifacts import Stage
from tests.interop.toy_families import LENGTH, random_backbone, write_tokenizer
from tests.previous_format import without_graph

TEXTS = [
    "where is my parcel it has not arrived",
    "i want my money back",
    "the parcel is late again",
    "Refund my money, please!",
    "no",
    "a parcel and a parcel and a parcel and a parcel and a parcel and a parcel and a parcel",
]
LABELS = ["parcel", "money", "parcel", "money", "money", "parcel"]
# More than there are features; no two are equal, so that the order of the folds does not depend on rounding.
WORDS = [word for text in TEXTS[:4] for word in text.split()]
MANY = [f"{one} {two} {last}" for one in WORDS[:6] for two in WORDS[6:13] for last in ("late", "my", "a")]
SENTENCES = [text.split() for text in TEXTS]
TAGS = [["B-thing" if word in ("parcel", "money") else "O" for word in words] for words in SENTENCES]


def random_mapping(dim, solver):
    """A mapping whose every weight is random, as after training."""
    mapping, rng = MetaMapping(dim, solver=solver), np.random.default_rng(1)
    for variable in mapping.weights:
        scale = 0.3 / SPEEDUP if variable.name == "strength" else 0.1
        variable.assign(np.asarray(variable) + rng.normal(0, scale, variable.shape))
    return mapping


def publish(family, folder, solver="ridge"):
    from metamapping.models.encoder import Encoder

    encoder = Encoder(random_backbone(family))
    tokenizer = write_tokenizer(family, folder / "tokenizer")
    model = PublishedModel(encoder, random_mapping(encoder.dim, solver), tokenizer, LENGTH, CleaningSpec())
    write_published(
        folder / "published", model, Provenance(Stage("published", "toy", 1, {}, []), [], "# x\n")
    )
    return folder / "published"


@pytest.fixture(scope="module", params=sorted(GRAPH_FAMILIES))
def folder(request, tmp_path_factory):
    return publish(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def mappers(folder):
    return {name: MetaMapper.from_pretrained(folder, backend=name) for name in ("runtime", "tensorflow")}


def features(mappers, compute):
    return [np.asarray(compute(mappers[name].featurizer)) for name in ("runtime", "tensorflow")]


def test_the_runtime_is_chosen_where_there_is_a_graph(folder):
    assert isinstance(load_model(folder), RuntimeModel)
    assert isinstance(load_model(folder, backend="tensorflow"), PublishedModel)


def test_features_of_texts_agree(mappers):
    runtime, tensorflow = features(mappers, lambda featurizer: featurizer.texts(TEXTS))
    assert runtime.shape == (len(TEXTS), 96)
    assert np.ptp(runtime, axis=0).max() > 0.05
    np.testing.assert_allclose(runtime, tensorflow, atol=1e-4)


def test_features_of_pairs_agree(mappers):
    runtime, tensorflow = features(mappers, lambda each: each.texts(TEXTS, TEXTS[::-1]))
    np.testing.assert_allclose(runtime, tensorflow, atol=1e-4)


def test_features_of_words_agree(mappers):
    runtime, tensorflow = features(mappers, lambda featurizer: featurizer.words(SENTENCES)[0])
    assert runtime.shape == (sum(map(len, SENTENCES)), 64)
    np.testing.assert_allclose(runtime, tensorflow, atol=1e-4)


def test_features_of_names_agree(mappers):
    runtime, tensorflow = features(mappers, lambda featurizer: featurizer.names(["a late parcel", "money"]))
    np.testing.assert_allclose(runtime, tensorflow, atol=1e-4)


def test_both_have_the_same_fingerprint(mappers):
    assert mappers["runtime"].featurizer.fingerprint == mappers["tensorflow"].featurizer.fingerprint


def test_tasks_of_texts_predict_the_same(mappers):
    tasks = [mappers[name].adapt(TEXTS, LABELS) for name in ("runtime", "tensorflow")]
    new = ["the money is late", "my parcel", "arrived again please"]
    runtime, tensorflow = (task.predict_proba(new) for task in tasks)
    np.testing.assert_allclose(runtime, tensorflow, atol=1e-3)
    # What rounding decides is not the same everywhere.
    ordered = np.sort(runtime, axis=1)
    is_clear = ordered[:, -1] - ordered[:, -2] > 2e-3
    ours, theirs = (np.array(task.predict(new))[is_clear] for task in tasks)
    assert is_clear.any()
    assert ours.tolist() == theirs.tolist()


def test_named_entity_tasks_predict_the_same(mappers):
    tasks = [mappers[name].adapt(SENTENCES, TAGS, task_type="ner") for name in ("runtime", "tensorflow")]
    new = [["the", "parcel", "is", "my", "money"], ["parcel"]]
    for runtime, tensorflow in zip(*(task.predict_proba(new) for task in tasks), strict=True):
        np.testing.assert_allclose(runtime, tensorflow, atol=1e-3)
    assert tasks[0].predict(new) == tasks[1].predict(new)


def test_a_task_that_was_adapted_with_one_is_used_with_the_other(mappers, tmp_path):
    mapping = mappers["tensorflow"].adapt(TEXTS, LABELS)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mappers["runtime"])
    np.testing.assert_allclose(loaded.predict_proba(TEXTS), mapping.predict_proba(TEXTS), atol=1e-4)


@pytest.mark.parametrize("solver", ["ridge", "plain-ridge", "prototypes", "gradient"])
def test_every_solver_gives_the_same_solution(solver, tmp_path):
    folder = publish("bert", tmp_path, solver)
    mappers = [MetaMapper.from_pretrained(folder, backend=name) for name in ("runtime", "tensorflow")]
    tasks = [
        [
            mapper.adapt(TEXTS, LABELS),
            mapper.adapt(MANY, ["late" if "late" in text else "early" for text in MANY]),
            mapper.adapt(TEXTS, ["a", "b", "c", "d", "e", "f"]),  # one example of each label
            mapper.zero_shot(["parcel", "money"]),
            mapper.adapt(SENTENCES, TAGS, task_type="ner"),
        ]
        for mapper in mappers
    ]
    for runtime, tensorflow in zip(*tasks, strict=True):
        solutions = [each._state.solution for each in (runtime, tensorflow)]
        ridges = [np.nan if each.ridge is None else each.ridge for each in solutions]
        np.testing.assert_allclose(*ridges, rtol=1e-3)
        np.testing.assert_allclose(solutions[0].views, solutions[1].views, atol=1e-3)
        scale = np.abs(solutions[1].weights).max()
        np.testing.assert_allclose(solutions[0].weights, solutions[1].weights, atol=2e-3 * scale)
        np.testing.assert_allclose(solutions[0].prior, solutions[1].prior, atol=1e-3)


def test_a_folder_of_the_previous_format_is_read_with_tensorflow(tmp_path):
    folder = publish("bert", tmp_path)
    fingerprint = load_model(folder).fingerprint
    old = without_graph(folder, tmp_path / "old")
    model = load_model(old)
    assert isinstance(model, PublishedModel)
    assert model.fingerprint == fingerprint
    with pytest.raises(StoreError, match="has no graph for the runtime"):
        load_model(old, backend="runtime")


def test_an_unknown_backend_is_an_error(tmp_path):
    with pytest.raises(
        ValueError, match="backend is 'torch', expected one of auto, runtime, int8, int8-anyway, tensorflow"
    ):
        load_model(tmp_path, backend="torch")


def test_the_folder_without_its_graph_is_damaged(tmp_path):
    folder = publish("bert", tmp_path)
    (folder / "model.onnx").unlink()
    with pytest.raises(StoreError, match=r"model\.onnx"):
        load_model(folder)


def test_a_moved_folder_is_still_whole(tmp_path):
    folder = publish("bert", tmp_path)
    shutil.move(folder, tmp_path / "moved")
    assert isinstance(load_model(tmp_path / "moved"), RuntimeModel)
    assert read_published(tmp_path / "moved").fingerprint == load_model(tmp_path / "moved").fingerprint
