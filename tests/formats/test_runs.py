"""A run that the release 0.2.0 began: it is described, continued from its last checkpoint, and published."""

import json
import shutil

import pytest

from metamapping.config.loading import read_config
from metamapping.runs.folder import RunFolder
from metamapping.runs.unfinished import unfinished_runs
from metamapping.storage.manifest import sealed
from tests.cli.command import run_cli
from tests.formats.old import FOLDERS
from tests.project.test_readme import ROOT

RUN = "tiny-253620bd9ef86a4b"
CONFIG = """
name: tiny
encoder:
  scratch: {vocabulary_size: 100, num_layers: 1, num_heads: 2, hidden_dim: 8, intermediate_dim: 8}
  max_length_tokens: 16
episodes: {num_texts: 24, num_splits: 2, max_shots: 2}
training: {meta_steps: 6, warmup_steps: 1, checkpoint_every_steps: 2}
evaluation: {ways: 3, shots: [0, 1], num_queries: 2, num_episodes: 4}
convergence: {max_rounds: 2}
sources:
  - {name: bank, task_type: text-classification, role: train, files: [bank.csv],
     columns: {text: text, label: intent}}
  - {name: insurance, task_type: text-classification, role: validation, files: [insurance.jsonl],
     columns: {text: text, label: intent}}
  - {name: online-shop, task_type: text-classification, role: test, files: [online-shop.csv],
     columns: {text: text, label: intent}}
"""


def old_home(scratch):
    """A copy of the old home; its files name absolute paths."""
    home = shutil.copytree(FOLDERS / "run-0.2.0", scratch / "home")
    path = home / "runs" / RUN / "run.json"
    about = json.loads(path.read_text().replace("/models/home", str(home)))
    del about["blake2b"]
    path.write_text(json.dumps(sealed(about)))
    return home


@pytest.fixture
def home(tmp_path):
    return old_home(tmp_path)


def test_it_is_listed_and_described(home, capsys):
    assert run_cli("runs", home) == 0
    assert run_cli("inspect", home / "runs" / RUN) == 0
    printed = capsys.readouterr().out
    assert RUN in printed
    assert "not yet" in printed


def test_a_new_run_of_its_configuration_says_how_to_finish_it(home, tmp_path):
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    for name in ("bank.csv", "insurance.jsonl", "online-shop.csv"):
        shutil.copy(ROOT / "samples" / name, tmp_path / name)
    new = RunFolder(home, "tiny-0000000000000000")
    config = read_config(tmp_path / "tiny.yaml")
    (sentence,) = unfinished_runs(new, config)
    assert f"run {RUN}, which is unfinished after 1 round" in sentence
    assert f"`metamapping train --resume {RUN}` finishes it" in sentence
    other = config.model_copy(update={"seed": 7})
    assert unfinished_runs(new, other) == []


def test_it_is_refused_in_one_sentence_where_its_rows_are_gone(home, capsys):
    shutil.rmtree(home / "data")
    assert run_cli("train", "--resume", RUN, "--home", home) == 2
    assert "does not exist any more: run the stage that writes it again" in capsys.readouterr().err


def test_a_configuration_and_a_run_are_not_given_together(tmp_path, capsys):
    assert run_cli("train", tmp_path / "tiny.yaml", "--resume", RUN) == 2
    assert run_cli("train") == 2
    assert capsys.readouterr().err.count("give either CONFIG") == 2


@pytest.mark.slow
def test_it_is_finished_from_its_last_checkpoint(home, capsys):
    from metamapping import MetaMapper
    from metamapping.rounds.records import Round

    partial = home / "runs" / RUN / "checkpoints" / "round-2-partial"
    assert [each.name for each in partial.iterdir()] == ["partial-000002"]
    before = (home / "runs" / RUN / "rounds.jsonl").read_text().splitlines()
    assert run_cli("train", "--resume", RUN, "--home", home) == 0
    run = RunFolder(home, RUN)
    rounds = run.read_history()
    assert len(rounds) == 2
    assert (home / "runs" / RUN / "rounds.jsonl").read_text().splitlines()[0].startswith(before[0][:60])
    assert isinstance(rounds[-1], Round)
    mapper = MetaMapper.from_pretrained(run.published)
    assert mapper.zero_shot(["refund", "person"]).predict(["a refund"])[0] in ("refund", "person")
