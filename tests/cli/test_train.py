"""`metamapping train`, `check` and `baseline`: bad input is refused at once, and Ctrl-C has its exit code."""

import importlib.util
import re

import pytest

from metamapping.runs import pipeline
from tests.cli.command import run_cli
from tests.project.test_readme import ROOT

TINY = ROOT / "tests/e2e/tiny.yaml"


@pytest.mark.parametrize("command", ["train", "check", "baseline"])
def test_a_wrong_configuration_is_refused_in_one_sentence(command, tmp_path, capsys):
    (tmp_path / "wrong.yaml").write_text("name: wrong\nsources: []\nencoder: {scratch: {}}\nepisods: {}\n")
    assert run_cli(command, tmp_path / "wrong.yaml") == 2
    assert "did you mean 'episodes'" in capsys.readouterr().err
    assert run_cli(command, tmp_path / "missing.yaml") == 2
    assert "missing.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", "check", "baseline"])
def test_without_the_packages_for_training_the_extra_is_named(command, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "keras_hub" else name)
    assert run_cli(command, TINY, "--home", tmp_path) == 2
    assert "training needs keras_hub: pip install 'metamapping[train]'" in capsys.readouterr().err


def test_ctrl_c_ends_a_run_with_130_and_says_how_to_resume(tmp_path, monkeypatch, capsys):
    def interrupted(config):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run_pipeline", interrupted)
    assert run_cli("train", TINY, "--home", tmp_path) == 130
    assert "the same command resumes from there" in capsys.readouterr().err


def test_a_check_shows_rows_labels_remarks_and_the_plan(tmp_path, capsys):
    assert run_cli("check", TINY, "--home", tmp_path / "home", "--no-time") == 0
    printed = capsys.readouterr().out
    assert re.search(r"^bank +train +text-classification +342 +\d+ +8 +\d+ to \d+$", printed, re.MULTILINE)
    assert "near duplicate" in printed
    assert "Look at: there is one validation source: intervals over fewer than 5" in printed
    assert "up to 1 round of 24 meta-steps on 1 train source" in printed
    assert [each.name for each in (tmp_path / "home").iterdir()] == ["data"]
