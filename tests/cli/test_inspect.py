"""Folders are described by what they contain, and damaged ones are rejected."""

import shutil

import pytest

from metamapping import MetaMapper
from metamapping.cli.folders import describe_folder
from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.config.rounds import ConvergenceSpec
from metamapping.config.schema import RunConfig
from metamapping.config.sources import Source
from metamapping.corpus.prepared import Corpus
from metamapping.errors import StoreError
from metamapping.rounds.records import Round
from metamapping.rounds.verdict import judge
from metamapping.runs.folder import RunFolder
from metamapping.storage.artifacts import Reference, Stage, Store
from tests.cli.command import run_cli
from tests.toy_rounds import toy_history


@pytest.fixture
def run(tmp_path):
    """A run with two judged rounds that has published nothing yet."""
    sources = [
        Source(name=role, task_type="sentiment-analysis", role=role, files=[f"{role}.csv"])
        for role in ("train", "validation", "test")
    ]
    config = RunConfig(name="toy", sources=sources, encoder=EncoderSpec(scratch=ScratchEncoder()))
    tokenizer = Reference(stage="tokenizer", name="toy", fingerprint="0", path="x", counts={})
    run = RunFolder(tmp_path, "toy-0123456789abcdef")
    run.open(config, Corpus(tokens=[], tokenizer=tokenizer))
    reports = toy_history([0.6, 0.7])
    for i, report in enumerate(reports):
        run.append_round(Round(report=report, verdict=judge(reports[: i + 1], ConvergenceSpec())))
    return run


def test_a_published_encoder_is_described_with_its_sizes(published):
    described = describe_folder(published)
    assert described["what"] == "published encoder"
    assert (described["name"], described["feature_dim"], described["max_length_tokens"]) == ("toy", 32, 16)


def test_a_saved_task_is_described_with_its_labels_and_encoder(published, tmp_path):
    mapper = MetaMapper.from_pretrained(published)
    mapper.adapt(["a", "b"], ["x", "y"]).save(tmp_path / "task")
    described = describe_folder(tmp_path / "task")
    assert described["what"] == "saved task"
    assert described["labels"] == ["x", "y"]
    assert described["examples"] == 2
    assert described["encoder"] == str(published)


def test_a_long_list_of_labels_is_truncated(published, tmp_path):
    mapper = MetaMapper.from_pretrained(published)
    mapper.zero_shot([f"label {i}" for i in range(30)]).save(tmp_path / "task")
    assert describe_folder(tmp_path / "task")["labels"][18:] == ["label 18", "label 19", "… and 10 more"]


def test_a_run_is_described_with_its_rounds_and_verdict(run, capsys):
    described = describe_folder(run.path)
    assert (described["what"], described["rounds"], described["best_round"]) == ("run", 2, 2)
    assert described["sources"][0] == "train (sentiment-analysis)"
    assert described["published"] == "not yet"
    assert run_cli("inspect", run.path) == 0
    assert described["verdict"] in capsys.readouterr().out


def test_a_stage_is_described_with_its_counts(tmp_path):
    store, stage = Store(tmp_path), Stage("clean", "bank", 1, {})
    with store.write(stage) as draft:
        draft.counts.update(rows_in=3, rows_out=2, rejects=1)
    described = describe_folder(tmp_path / "data" / f"clean-bank-{stage.fingerprint}")
    assert described["what"] == "stage clean"
    assert described["counts"] == {"rows_in": 3, "rows_out": 2, "rejects": 1}


def test_the_error_of_a_damaged_folder_names_the_file(published, tmp_path):
    folder = shutil.copytree(published, tmp_path / "copy")
    (folder / "metamapping.json").write_text("{}")
    with pytest.raises(StoreError, match=r"metamapping.json is missing or not as it was written"):
        describe_folder(folder)


def test_any_other_folder_is_rejected(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a published encoder, saved task or run"):
        describe_folder(tmp_path)
