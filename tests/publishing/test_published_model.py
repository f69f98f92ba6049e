"""Published model: a published folder is read back exactly, or rejected."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from metamapping.errors import StoreError
from metamapping.models.variables import model_variables
from metamapping.publishing.layout import FORMAT_VERSION
from metamapping.publishing.published_model import read_published
from tests.forgery import forge_manifest, read_manifest


@pytest.fixture
def copy(published, tmp_path):
    return shutil.copytree(published, tmp_path / "copy")


def test_a_published_encoder_is_read_back_exactly(published):
    first, second = read_published(published), read_published(published)
    values = model_variables(first.encoder, first.mapping)
    for name, variable in model_variables(second.encoder, second.mapping).items():
        np.testing.assert_array_equal(variable.numpy(), values[name].numpy())


def test_nothing_in_the_folder_is_code_or_pickle(published):
    suffixes = {path.suffix for path in published.rglob("*") if path.is_file()}
    # The graph of the runtime is checked before it is run: tests/runtime/test_hostile_graphs.py.
    assert suffixes <= {".json", ".safetensors", ".md", ".onnx", ".png", ".txt"}


def test_a_missing_folder_is_rejected_with_advice(tmp_path):
    with pytest.raises(FileNotFoundError, match="give the folder `published`"):
        read_published(tmp_path / "nothing")


@pytest.mark.parametrize(
    "name",
    ["model.safetensors", "mapping.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"],
)
def test_one_flipped_bit_is_found_and_named(copy, name):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(StoreError, match=f"{name} is missing or not as it was written"):
        read_published(copy)


def test_a_manifest_cannot_name_files_outside_the_folder(copy):
    manifest = read_manifest(copy)
    manifest["files"]["../secret"] = {"bytes": 1, "blake2b": "0"}
    forge_manifest(copy, manifest)
    with pytest.raises(StoreError, match="outside of the folder"):
        read_published(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "llama"}, "model_type is 'llama', expected one of bert"),
        ({"model_type": None}, "model_type is None"),
        ({"hidden_size": None}, "hidden_size is None, expected a number above 0"),
        ({"num_hidden_layers": -1}, "num_hidden_layers is -1"),
        ({"num_hidden_layers": 2}, "there is no bert.encoder.layer.1"),
        ({"vocab_size": 7}, r"word_embeddings.weight is \(\d+, 32\), expected \(7, 32\)"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu', but KerasHub's bert has GELU"),
    ],
)
def test_a_configuration_that_does_not_fit_is_rejected_with_the_value(copy, changes, message):
    config = json.loads((copy / "config.json").read_text())
    rewrite(copy, "config.json", config | changes)
    with pytest.raises(StoreError, match=message):
        read_published(copy)


def test_a_folder_of_another_format_version_is_rejected(copy):
    rewrite(copy, "metamapping.json", {"format_version": 99})
    with pytest.raises(StoreError, match="has format version 99"):
        read_published(copy)


def test_invalid_settings_are_rejected(copy):
    rewrite(copy, "metamapping.json", {"format_version": FORMAT_VERSION, "family": 3})
    with pytest.raises(StoreError, match="does not hold valid settings of this release"):
        read_published(copy)


def test_checking_a_folder_needs_no_tensorflow():
    code = "import sys, metamapping.publishing.layout; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def rewrite(folder, name, value):
    """Replace a file and update its checksum, as a forger would."""
    from metamapping.storage.manifest import fingerprint_file

    (folder / name).write_text(json.dumps(value))
    manifest = read_manifest(folder)
    manifest["files"][name]["blake2b"] = fingerprint_file(folder / name)
    forge_manifest(folder, manifest)
