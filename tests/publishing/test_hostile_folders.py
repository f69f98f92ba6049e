"""Untrusted folders: nothing in them is executed, leads outside the folder, or uses unbounded memory."""

import json
import os
import pickle
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from metamapping import Mapping, MetaMapper
from metamapping.errors import ConfigError, StoreError
from metamapping.publishing.published_model import read_published
from metamapping.runs.folder import RunFolder
from metamapping.storage.artifacts import read_reference
from metamapping.storage.manifest import check_files, fingerprint_file
from tests.cli.command import run_cli


@pytest.fixture
def copy(published, tmp_path):
    return shutil.copytree(published, tmp_path / "copy")


@pytest.fixture(scope="module")
def saved(mapper, tmp_path_factory):
    texts = ["where is my parcel", "i want my money back"]
    return mapper.adapt(texts, ["delivery", "refund"]).save(tmp_path_factory.mktemp("saved") / "task")


@pytest.fixture
def task(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "task")


def sign(folder):
    """Recompute the manifest's checksums, as a forger would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest.pop("blake2b", None)
    for name in manifest["files"]:
        manifest["files"][name]["blake2b"] = fingerprint_file(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rewrite(folder, name, **changes):
    value = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(value | changes))
    sign(folder)


class Trap:
    """Creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "mapping.safetensors", "tokenizer.json", "config.json", "metamapping.json"]
)
def test_a_pickle_under_the_name_of_any_published_file_is_not_opened(copy, tmp_path, name):
    (copy / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    sign(copy)
    with pytest.raises(StoreError):
        read_published(copy)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["task.json", "mapping.safetensors"])
def test_a_pickle_under_the_name_of_a_tasks_file_is_not_opened(task, tmp_path, name):
    (task / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    sign(task)
    with pytest.raises(StoreError):
        Mapping.load(task)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["manifest.json", "metamapping.json", "config.json"])
def test_deeply_nested_values_are_rejected(copy, name):
    (copy / name).write_text('{"files": ' + "[" * 100_000)
    if name != "manifest.json":
        sign(copy)
    with pytest.raises(StoreError, match=r"nested too deeply|recursion"):
        read_published(copy)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("manifest.json", 1 << 30),
        ("metamapping.json", 17_000_000),
        ("config.json", 17_000_000),
        ("tokenizer.json", 65_000_000),
    ],
)
def test_a_file_that_is_too_large_is_rejected(copy, name, size):
    with (copy / name).open("r+b") as file:
        file.truncate(size)
    if name != "manifest.json":
        sign(copy)
    with pytest.raises(StoreError, match=r"has more than \d+ bytes"):
        read_published(copy)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../b", "", "a\0b"])
def test_a_manifest_cannot_name_files_outside_its_folder(task, name):
    manifest = json.loads((task / "manifest.json").read_text())
    del manifest["blake2b"]
    manifest["files"][name] = {"bytes": 1, "blake2b": "0"}
    (task / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match="which is outside of the folder"):
        Mapping.load(task)


def test_a_link_to_a_file_outside_is_not_followed(copy, tmp_path):
    secret = (copy / "README.md").rename(tmp_path / "secret")
    (copy / "README.md").symlink_to(secret)
    with pytest.raises(StoreError, match=r"README.md is a link out of the folder"):
        check_files(copy, [])
    (copy / "README.md").unlink()
    (copy / "README.md").symlink_to("README.md")
    with pytest.raises(StoreError, match=r"README.md is a link out of the folder"):
        check_files(copy, [])


def test_a_link_to_a_folder_outside_is_not_followed(copy, tmp_path):
    shutil.move(copy / "1_Pooling", tmp_path / "elsewhere")
    (copy / "1_Pooling").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(StoreError, match="is a link out of the folder"):
        check_files(copy, [])


def test_the_links_of_the_hubs_cache_are_followed(copy, tmp_path):
    snapshot, blobs = tmp_path / "hub" / "snapshots" / "0123", tmp_path / "hub" / "blobs"
    blobs.mkdir(parents=True)
    for file in sorted(path for path in copy.rglob("*") if path.is_file()):
        link = snapshot / file.relative_to(copy)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(shutil.copy(file, blobs / f"{len(list(blobs.iterdir()))}"))
    check_files(snapshot, ["model.safetensors"])


@pytest.mark.parametrize("run_id", ["..", ".", "", "../../etc", "a/b", "/etc", "a\\b", "a\0b"])
def test_a_run_id_cannot_be_a_path(tmp_path, run_id):
    with pytest.raises(ConfigError, match="is not a valid run id"):
        RunFolder(tmp_path, run_id)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 10**11}, r"has \d+ weights, but its file holds"),
        ({"hidden_size": 2**20, "intermediate_size": 2**20}, r"has \d+ weights, but its file holds"),
        ({"num_hidden_layers": 10**9}, "it has 1000000000 layers, but its weights are"),
        ({"max_position_embeddings": 10**10}, r"has \d+ weights, but its file holds"),
        ({"num_attention_heads": 10**9}, "does not describe an encoder"),
    ],
)
def test_an_encoder_larger_than_its_weights_is_rejected_before_it_is_built(copy, changes, message):
    rewrite(copy, "config.json", **changes)
    with pytest.raises(StoreError, match=message):
        read_published(copy)


def test_an_encoder_can_be_loaded_after_another_was_rejected(copy, published):
    rewrite(copy, "config.json", vocab_size=10**11)
    with pytest.raises(StoreError, match="weights"):
        read_published(copy)
    assert MetaMapper.from_pretrained(published).zero_shot(["a", "b"]).predict(["x"])[0] in ("a", "b")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_length_tokens": 10**12}, "max_length_tokens"),
        ({"max_length_tokens": 512}, "512 tokens, but the encoder has positions for 16"),
        ({"feature_dim": 7}, "7 features, but the encoder has 32"),
        ({"feature_dim": -1}, "feature_dim"),
    ],
)
def test_settings_that_do_not_fit_the_encoder_are_rejected(copy, changes, message):
    rewrite(copy, "metamapping.json", **changes)
    with pytest.raises(StoreError, match=message):
        read_published(copy)


@pytest.mark.parametrize("name", ["model.safetensors", "mapping.safetensors"])
def test_weights_that_are_not_finite_are_rejected(copy, name):
    arrays = load_file(copy / name)
    first = next(iter(sorted(arrays)))
    save_file({**arrays, first: np.full_like(arrays[first], np.nan)}, copy / name)
    sign(copy)
    with pytest.raises(StoreError, match="is not finite"):
        read_published(copy)


def test_an_encoder_that_the_manifest_does_not_name_is_not_read(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    del manifest["blake2b"], manifest["files"]["config.json"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match=r"does not name config\.json"):
        read_published(copy)


DOUBLING_NORMALIZER = {
    "type": "Sequence",
    "normalizers": [{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}] * 40,
}
ADDED_TOKEN = {"SpecialToken": {"id": "[UNK]", "type_id": 0}}
FIRST_TEXT = {"Sequence": {"id": "A", "type_id": 0}}
MANY_ADDED_TOKENS = {
    "type": "TemplateProcessing",
    "single": [ADDED_TOKEN] * 1_000 + [FIRST_TEXT],
    "pair": [FIRST_TEXT, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"[UNK]": {"id": "[UNK]", "ids": [1], "tokens": ["[UNK]"]}},
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": DOUBLING_NORMALIZER}, r"may make a text \d+ times longer"),
        ({"post_processor": MANY_ADDED_TOKENS}, "it adds 1000 tokens to a text that may have 16"),
        (
            {"model": {"type": "WordLevel", "vocab": {"[UNK]": 10**6}, "unk_token": "[UNK]"}},
            "has a token 1000000",
        ),
        ({"model": {"type": "Pickle"}}, "is not a usable tokenizer"),
    ],
)
def test_a_tokenizer_that_lengthens_texts_or_does_not_fit_is_rejected(copy, changes, message):
    rewrite(copy, "tokenizer.json", **changes)
    with pytest.raises(StoreError, match=message):
        read_published(copy)


def test_a_pattern_with_catastrophic_backtracking_raises_an_error(copy):
    pattern = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    rewrite(copy, "tokenizer.json", pre_tokenizer=pattern)
    mapper = MetaMapper.from_pretrained(copy)
    with pytest.raises(ValueError, match="the tokenizer cannot read this"):
        mapper.zero_shot(["x", "y"]).predict(["a" * 40 + "!"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("features", np.full((2, 32), np.inf, np.float32), "its features do not fit"),
        ("features", np.zeros((2, 32), np.float64), "its features do not fit"),
        ("targets", np.array([0, -1], np.int32), "its targets do not fit"),
        ("offsets", np.array([0, 2, 2], np.int64), "its offsets do not fit"),
        ("offsets", np.array([2, 0, 2], np.int64), "its offsets do not fit"),
        ("weights", np.full((33, 2), np.nan, np.float32), "its weights do not fit"),
    ],
)
def test_a_tasks_arrays_must_be_consistent(task, name, value, message):
    arrays = load_file(task / "mapping.safetensors")
    save_file({**arrays, name: value}, task / "mapping.safetensors")
    sign(task)
    with pytest.raises(StoreError, match=message):
        Mapping.load(task)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_examples": 10**12},
        {"num_examples": -1},
        {"scale": 1e999},
        {"ridge": 0.0},
        {"labels": ["x", "y"], "task_type": "ner"},
        {"texts": [["a"], ["b"]]},
        {"model_folder": "a\0b"},
    ],
)
def test_a_tasks_settings_must_be_consistent(task, changes):
    rewrite(task, "task.json", **changes)
    with pytest.raises((StoreError, FileNotFoundError)):
        Mapping.load(task)


@pytest.mark.parametrize(
    "value", ["[]", "null", "7", "{}", '{"files": []}', '{"files": {"a": 1}}', '"x"', ""]
)
def test_an_invalid_manifest_is_rejected(task, value):
    (task / "manifest.json").write_text(value)
    with pytest.raises(StoreError, match="is damaged"):
        Mapping.load(task)
    with pytest.raises(StoreError, match="is damaged"):
        read_reference(task)
    assert run_cli("inspect", task) == 2
