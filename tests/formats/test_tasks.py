"""Saved tasks of every earlier format: they predict as the release that wrote them, or are adapted again."""

import json

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation.saved.migration import read_old_task
from metamapping.adaptation.saved.task_folder import FORMAT_VERSION, read_task, task_version
from metamapping.errors import StoreError
from metamapping.storage.manifest import MANIFEST, write_json, write_manifest
from tests.cli.command import run_cli
from tests.formats.old import NEW_TEXTS, NEW_WORDS, copy_of, expected

READ = ["published-4-task-3", "published-5-task-4"]
OLD = ["published-1-task-1", "published-4-task-2"]


def test_there_is_a_task_of_every_format(tmp_path):
    versions = [task_version(copy_of(name, tmp_path) / "task") for name in [*OLD, *READ]]
    assert sorted(versions) == list(range(1, FORMAT_VERSION + 1))


@pytest.mark.parametrize("name", READ)
def test_later_formats_predict_as_the_release_that_wrote_them(name, tmp_path):
    folder = copy_of(name, tmp_path)
    mapper = MetaMapper.from_pretrained(folder / "published")
    of_then = expected(name)
    for task in ("task", "task-without-texts"):
        found = Mapping.load(folder / task, mapper).predict_proba(NEW_TEXTS)
        np.testing.assert_allclose(found, of_then["probabilities"], rtol=0, atol=1e-4)
    assert Mapping.load(folder / "task-ner", mapper).predict([NEW_WORDS]) == of_then["tags"]


def test_a_task_of_the_last_release_takes_more_examples(tmp_path):
    folder = copy_of("published-4-task-3", tmp_path)
    mapping = Mapping.load(folder / "task", MetaMapper.from_pretrained(folder / "published"))
    mapping.add(["may i speak to a person"], ["person"])
    mapping.save(folder / "task")
    assert read_task(folder / "task").state.labels == ("delivery", "refund", "person")
    assert task_version(folder / "task") == FORMAT_VERSION


@pytest.mark.parametrize("name", OLD)
def test_earlier_formats_are_refused_with_the_command_that_migrates_them(name, tmp_path):
    folder = copy_of(name, tmp_path) / "task"
    with pytest.raises(StoreError, match=rf"has format version [12].*run `metamapping migrate {folder}`"):
        read_task(folder)


def test_a_later_format_is_refused_with_the_way_out(tmp_path):
    folder = copy_of("published-5-task-4", tmp_path) / "task"
    task = json.loads((folder / "task.json").read_text())
    write_json(folder / "task.json", task | {"format_version": 99})
    (folder / MANIFEST).unlink()
    write_manifest(folder, {"stage": "task"})
    with pytest.raises(StoreError, match=r"has format version 99.*install the release that wrote it"):
        read_task(folder)


@pytest.mark.parametrize("name", OLD)
def test_earlier_formats_are_adapted_again_from_their_texts(name, tmp_path):
    folder = copy_of(name, tmp_path)
    encoder = copy_of("published-5-task-4", tmp_path) / "published"
    mapper = MetaMapper.from_pretrained(encoder)
    for task in ("task", "task-ner"):
        assert run_cli("migrate", folder / task, "--model", encoder) == 0
        assert task_version(folder / f"{task}-format-{name[-1]}") == int(name[-1])
    texts = read_old_task(folder / f"task-format-{name[-1]}").texts
    again = mapper.adapt(texts, ["delivery", "delivery", "refund", "refund"])
    migrated = Mapping.load(folder / "task", mapper)
    np.testing.assert_allclose(migrated.predict_proba(NEW_TEXTS), again.predict_proba(NEW_TEXTS), atol=1e-6)
    assert Mapping.load(folder / "task-ner", mapper).labels == ("O", "person", "city")


def test_a_task_without_texts_and_one_without_its_encoder_say_what_is_missing(tmp_path, capsys):
    folder = copy_of("published-4-task-2", tmp_path)
    assert run_cli("migrate", folder / "task") == 2
    assert "was in /models/toy, where there is none now: give one with --model" in capsys.readouterr().err
    encoder = folder / "published"
    assert run_cli("migrate", folder / "task-without-texts", "--model", encoder) == 2
    assert "saved without the texts of its examples: adapt it again from them" in capsys.readouterr().err
    assert task_version(folder / "task-without-texts") == 2


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    assert run_cli("migrate", tmp_path) == 2
    assert "neither a published encoder" in capsys.readouterr().err
