"""A folder with small files, and the tasks that the commands make of them."""

import pytest

from tests.cli.command import run_cli
from tests.cli.toy_files import EXAMPLES, NEW, SENTENCES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "examples.csv").write_text(EXAMPLES)
    (folder / "new.csv").write_text(NEW)
    (folder / "sentences.conll").write_text(SENTENCES * 3)
    return folder


@pytest.fixture(scope="module")
def task(folder, published):
    assert run_cli("adapt", published, folder / "examples.csv", "--out", folder / "task") == 0
    return folder / "task"


@pytest.fixture(scope="module")
def ner_task(folder, published):
    options = ("--out", folder / "ner", "--task-type", "ner")
    assert run_cli("adapt", published, folder / "sentences.conll", *options) == 0
    return folder / "ner"
