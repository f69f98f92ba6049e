"""A pretrained encoder is used with an untrained mapping; everything else is read as before."""

import json
import shutil
import warnings

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.errors import StoreError
from metamapping.publishing.pretrained_model import (
    UntrainedMappingWarning,
    check_pretrained,
    is_on_hub,
    is_pretrained,
)
from tests.cli.command import run_cli

TEXTS, LABELS = ["where is my parcel", "please refund the order"], ["delivery", "refund"]


@pytest.fixture(scope="module")
def pretrained(published, tmp_path_factory):
    """A Hugging Face folder: the encoder and the tokenizer of a published folder, without what is ours."""
    folder = tmp_path_factory.mktemp("pretrained")
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        shutil.copy(published / name, folder / name)
    return folder


def test_a_hugging_face_folder_is_adapted_and_says_that_it_is_not_meta_trained(pretrained, tmp_path):
    with pytest.warns(UntrainedMappingWarning, match="was not meta-trained"):
        mapper = MetaMapper.from_pretrained(pretrained)
    mapping = mapper.adapt(TEXTS, LABELS)
    assert mapping.predict(TEXTS) == LABELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a saved task has said it already
        again = Mapping.load(mapping.save(tmp_path / "task"))
    np.testing.assert_array_equal(again.predict_proba(TEXTS), mapping.predict_proba(TEXTS))


def test_before_training_a_texts_vector_is_its_feature_and_a_labels_that_of_its_name(pretrained):
    with pytest.warns(UntrainedMappingWarning):
        mapper = MetaMapper.from_pretrained(pretrained)
    texts, dim = ["the parcel", "a refund"], mapper.featurizer.dim
    names = mapper.featurizer.names(["delivery", "refund"])
    centred = names - names.mean(axis=0)
    vectors = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    scores = mapper.featurizer.texts(texts)[:, :dim] @ vectors.T
    expected = [["delivery", "refund"][i] for i in scores.argmax(axis=1)]
    assert mapper.zero_shot(["delivery", "refund"]).predict(texts) == expected


def test_a_published_folder_is_no_pretrained_one_even_if_it_is_damaged(published, tmp_path):
    assert not is_pretrained(published)
    damaged = tmp_path / "damaged"
    shutil.copytree(published, damaged)
    (damaged / "manifest.json").unlink()
    assert not is_pretrained(damaged)
    with pytest.raises(FileNotFoundError, match="is not a published encoder") as error:
        MetaMapper.from_pretrained(damaged)
    assert "pretrained model" not in str(error.value)


def test_a_folder_without_a_tokenizer_is_refused_with_the_fix(pretrained, tmp_path):
    shutil.copytree(pretrained, tmp_path / "bare")
    (tmp_path / "bare" / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no tokenizer.json: .*save_pretrained"):
        MetaMapper.from_pretrained(tmp_path / "bare")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"has no model\.safetensors: download .*save_pretrained"),
        ({"pytorch_model.bin": "PK"}, r"only pytorch_model\.bin, which is not read because it may run code"),
        ({"model.safetensors.index.json": "{}"}, r"names no weights \(there is no weight_map"),
        (
            {"model.safetensors.index.json": '{"weight_map": {"a": "model-2.safetensors"}}'},
            r"has no model-2\.safetensors, which model\.safetensors\.index\.json names",
        ),
    ],
)
def test_weights_that_cannot_be_read_are_told_without_keras(files, message, pretrained, tmp_path):
    shutil.copytree(pretrained, folder := tmp_path / "bare")
    (folder / "model.safetensors").unlink()
    for name, content in files.items():
        (folder / name).write_text(content)
    for check in (check_pretrained, MetaMapper.from_pretrained):
        with pytest.raises((FileNotFoundError, StoreError), match=message):
            check(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"is_decoder": True}, "is_decoder is True"),
    ],
)
def test_attention_of_another_kind_is_refused(change, message, pretrained, tmp_path):
    shutil.copytree(pretrained, folder := tmp_path / "other")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    for check in (check_pretrained, MetaMapper.from_pretrained):
        with pytest.raises(StoreError, match=message):
            check(folder)


def test_a_damaged_configuration_is_told(pretrained, tmp_path):
    shutil.copytree(pretrained, folder := tmp_path / "other")
    (folder / "config.json").write_text("{")
    with pytest.raises(StoreError, match=r"config\.json is not JSON .* download the folder again"):
        MetaMapper.from_pretrained(folder)


@pytest.mark.filterwarnings("ignore::metamapping.publishing.pretrained_model.UntrainedMappingWarning")
def test_a_saved_task_is_no_encoder(pretrained, tmp_path):
    task = MetaMapper.from_pretrained(pretrained).adapt(TEXTS, LABELS).save(tmp_path / "task")
    with pytest.raises(FileNotFoundError, match="is a saved task, and an encoder is expected"):
        MetaMapper.from_pretrained(task)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("sentence-transformers/all-MiniLM-L6-v2", True),
        ("hf://google-bert/bert-base-uncased", True),
        ("here/missing", False),
        ("a/b/c", False),
        ("/tmp/missing", False),
        ("s3://bucket/published", False),
        ("../b", False),
    ],
)
def test_names_on_the_hub_are_told_from_paths(place, expected, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    assert is_on_hub(place) is expected


def test_a_model_of_the_hub_is_downloaded_without_code(pretrained, monkeypatch):
    import huggingface_hub

    asked = []

    def snapshot_download(name, *, allow_patterns):
        asked.append((name, allow_patterns))
        return str(pretrained)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.warns(UntrainedMappingWarning, match="hf://team/encoder"):
        MetaMapper.from_pretrained("hf://team/encoder")
    ((name, patterns),) = asked
    assert name == "team/encoder"
    assert all(pattern.endswith((".json", ".safetensors")) for pattern in patterns)


def test_a_model_that_the_hub_lacks_is_an_error_with_the_fix(monkeypatch):
    import huggingface_hub

    def snapshot_download(name, **_):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(FileNotFoundError, match=r"no folder team/encoder.*no network.*correct the name"):
        MetaMapper.from_pretrained("team/encoder")


def test_the_command_line_adapts_and_explains_with_a_pretrained_folder(pretrained, tmp_path, capsys):
    examples = tmp_path / "examples.csv"
    examples.write_text("text,label\n" + "".join(f"{t},{c}\n" for t, c in zip(TEXTS, LABELS, strict=True)))
    assert run_cli("adapt", pretrained, examples, "--out", tmp_path / "task") == 0
    assert "note: " in (printed := capsys.readouterr().err)
    assert printed.count("was not meta-trained") == 1
    assert run_cli("explain", tmp_path / "task", TEXTS[0]) == 0
    assert capsys.readouterr().out.startswith("delivery: score ")
