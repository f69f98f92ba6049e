"""Task folder: a saved task is restored exactly, or rejected."""

import json
import pickle
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from metamapping import Mapping, MetaMapper
from metamapping.errors import StoreError
from metamapping.storage.manifest import fingerprint_file
from tests.forgery import forge_manifest, read_manifest

TEXTS = ["where is my parcel", "the delivery is late", "i want my money back"]
LABELS = ["delivery", "delivery", "refund"]
NEW = ["where is the order", "my money"]


@pytest.fixture(scope="module")
def mapping(mapper):
    return mapper.adapt(TEXTS, LABELS, label_names={"refund": "money back"})


@pytest.fixture
def folder(mapping, tmp_path):
    return mapping.save(tmp_path / "task")


def rewrite(folder, name, change):
    """Change a file and update its checksum, as a deliberate manipulation would."""
    path = folder / name
    if name.endswith(".json"):
        path.write_text(json.dumps(change(json.loads(path.read_text()))))
    else:
        save_file(change(load_file(path)), path)
    manifest = read_manifest(folder)
    manifest["files"][name]["blake2b"] = fingerprint_file(path)
    forge_manifest(folder, manifest)


def test_a_saved_task_predicts_the_same_to_the_bit(mapping, folder, mapper):
    for loaded in (Mapping.load(folder), Mapping.load(folder, mapper)):
        assert (loaded.labels, loaded.task_type, loaded.num_examples) == (
            mapping.labels,
            mapping.task_type,
            mapping.num_examples,
        )
        np.testing.assert_array_equal(loaded.predict_proba(NEW), mapping.predict_proba(NEW))


def test_a_loaded_task_can_be_extended_and_explained(folder, mapper):
    loaded = Mapping.load(folder, mapper)
    assert loaded.explain(TEXTS[0])[0].text == TEXTS[0]
    loaded.add(["the lamp is broken"], ["refund"])
    whole = mapper.adapt(
        [*TEXTS, "the lamp is broken"], [*LABELS, "refund"], label_names={"refund": "money back"}
    )
    np.testing.assert_allclose(loaded.predict_proba(NEW), whole.predict_proba(NEW), atol=1e-5)


def test_texts_are_left_out_on_request(mapping, mapper, tmp_path):
    folder = mapping.save(tmp_path / "task", keep_texts=False)
    for path in folder.iterdir():
        assert b"parcel" not in path.read_bytes()
    loaded = Mapping.load(folder, mapper)
    assert loaded.explain(TEXTS[0])[0].text is None
    assert loaded.explain(TEXTS[0])[0].label == "delivery"
    loaded.remove([0])
    assert loaded.num_examples == 2


@pytest.mark.parametrize("keep_texts", [True, False])
def test_tasks_of_pairs_entities_and_labels_alone_are_saved_too(mapper, tmp_path, keep_texts):
    pairs = mapper.adapt(TEXTS, LABELS, text_pairs=TEXTS)
    loaded = Mapping.load(pairs.save(tmp_path / "pairs", keep_texts=keep_texts), mapper)
    assert loaded.predict(NEW, text_pairs=NEW) == pairs.predict(NEW, text_pairs=NEW)
    words = [["anna", "lives", "in", "paris"]]
    ner = mapper.adapt(words, [["B-PER", "O", "O", "B-LOC"]], task_type="ner")
    loaded = Mapping.load(ner.save(tmp_path / "ner", keep_texts=keep_texts), mapper)
    assert loaded.predict(words) == ner.predict(words)
    bare = mapper.zero_shot(["billing", "delivery"])
    loaded = Mapping.load(bare.save(tmp_path / "bare", keep_texts=keep_texts), mapper)
    assert loaded.predict(NEW) == bare.predict(NEW)


def test_saving_again_replaces_the_whole_task(mapper, folder):
    mapper.zero_shot(["billing", "delivery"]).save(folder)
    assert Mapping.load(folder, mapper).labels == ("billing", "delivery")
    assert [path.name for path in folder.parent.iterdir()] == ["task"]


def test_a_folder_that_is_not_a_saved_task_is_not_replaced(mapping, tmp_path):
    (tmp_path / "holiday.txt").write_text("photos")
    with pytest.raises(ValueError, match="already exists and is not a saved task: give another folder"):
        mapping.save(tmp_path)
    assert (tmp_path / "holiday.txt").read_text() == "photos"


def test_a_failed_write_leaves_the_older_task(mapping, folder, monkeypatch):
    def disk_full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("metamapping.adaptation.saved.task_folder.write_json", disk_full)
    with pytest.raises(OSError, match="no space left"):
        mapping.save(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["task"]
    assert Mapping.load(folder).num_examples == 3


def test_a_missing_task_is_rejected(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a saved task"):
        Mapping.load(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["task.json", "mapping.safetensors"])
def test_one_flipped_bit_is_found_and_named(folder, mapper, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(StoreError, match=f"{name} is missing or not as it was written"):
        Mapping.load(folder, mapper)


def test_a_missing_encoder_is_rejected_with_its_path(folder):
    rewrite(folder, "task.json", lambda task: task | {"model_folder": "/gone"})
    with pytest.raises(FileNotFoundError, match="/gone"):
        Mapping.load(folder)


def test_another_encoder_is_rejected(folder, published, tmp_path, mapping):
    other = MetaMapper.from_pretrained(shutil.copytree(published, tmp_path / "other"))
    assert Mapping.load(folder, other).predict(NEW) == mapping.predict(NEW)
    other = MetaMapper.from_pretrained(published, backend="tensorflow")
    kernel = other.featurizer.model.mapping.prior_kernel
    kernel.assign(kernel.numpy() * 1.001)
    with pytest.raises(StoreError, match="was adapted with the encoder"):
        Mapping.load(folder, other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda task: task | {"labels": ["delivery"]}, "its names do not fit"),
        (lambda task: task | {"labels": ["delivery", 1]}, "labels"),
        (lambda task: task | {"labels": [True, 0]}, "labels"),
        (lambda task: task | {"texts": ["one"]}, "its texts do not fit"),
        (lambda task: task | {"num_examples": 2}, "its offsets do not fit"),
        (lambda task: task | {"task_type": "ranking"}, "task_type"),
        (lambda task: task | {"code": "import os"}, "code"),
        (lambda task: task | {"format_version": 1}, "has format version 1"),
    ],
)
def test_an_inconsistent_task_is_rejected(folder, mapper, change, message):
    rewrite(folder, "task.json", change)
    with pytest.raises(StoreError, match=message):
        Mapping.load(folder, mapper)


@pytest.mark.parametrize("name", ["features", "targets", "offsets", "weights", "prior", "name_features"])
def test_arrays_of_other_shapes_are_rejected(folder, mapper, name):
    rewrite(folder, "mapping.safetensors", lambda arrays: arrays | {name: arrays[name][1:]})
    with pytest.raises(StoreError, match="do not fit the rest"):
        Mapping.load(folder, mapper)


@pytest.fixture
def ner_folder(mapper, tmp_path):
    words = [["anna", "lives", "in", "paris"], ["bob", "works", "in", "rome"]]
    ner = mapper.adapt(words, [["B-PER", "O", "O", "B-LOC"]] * 2, task_type="ner")
    return ner.save(tmp_path / "ner")


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays | {"type_weights": arrays["type_weights"][1:]},
        lambda arrays: arrays | {"type_prior": arrays["prior"]},
        lambda arrays: {name: array for name, array in arrays.items() if name != "type_weights"},
    ],
)
def test_types_of_entities_that_do_not_fit_are_rejected(ner_folder, mapper, change):
    rewrite(ner_folder, "mapping.safetensors", change)
    with pytest.raises(StoreError, match=r"type[ _]weights"):
        Mapping.load(ner_folder, mapper)


def test_types_of_entities_are_not_for_texts(folder, mapper):
    rewrite(folder, "task.json", lambda task: task | {"type_ridge": 1.0})
    with pytest.raises(StoreError, match=r"type[ _]weights"):
        Mapping.load(folder, mapper)


def test_a_task_saved_without_a_mapping_to_types_types_entities_by_words_until_it_changes(ner_folder, mapper):
    rewrite(ner_folder, "task.json", lambda task: {k: v for k, v in task.items() if k != "type_ridge"})
    rewrite(
        ner_folder,
        "mapping.safetensors",
        lambda arrays: {k: v for k, v in arrays.items() if not k.startswith("type_")},
    )
    loaded = Mapping.load(ner_folder, mapper)
    assert loaded.state.types is None
    assert len(loaded.predict([["eve", "lives", "in", "london"]])[0]) == 4
    loaded.add([["eve", "lives"]], [["B-PER", "O"]])
    assert loaded.state.types is not None


def test_a_manifest_cannot_name_files_outside_the_folder(folder, mapper):
    manifest = read_manifest(folder)
    manifest["files"]["../secret"] = {"bytes": 1, "blake2b": "0"}
    forge_manifest(folder, manifest)
    with pytest.raises(StoreError, match="outside of the folder"):
        Mapping.load(folder, mapper)


def test_nothing_in_the_folder_is_code_or_pickle(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        "mapping.safetensors",
        "task.json",
    ]


def test_a_mapping_cannot_be_pickled(mapping):
    with pytest.raises(TypeError, match=r"cannot be pickled or copied: use save\(folder\)"):
        pickle.dumps(mapping)


def test_labels_of_earlier_versions_get_todays_spelling(folder, mapper):
    rewrite(folder, "task.json", lambda task: {**task, "labels": ["1.0", "5.0"]})
    mapping = Mapping.load(folder, mapper)
    assert mapping.labels == ("1", "5")
    mapping.add(["it was great"], ["5.0"])
    assert mapping.labels == ("1", "5")
    rewrite(folder, "task.json", lambda task: {**task, "labels": ["1", "1.0"]})
    assert Mapping.load(folder, mapper).labels == ("1", "1.0")
