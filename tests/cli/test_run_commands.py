"""`metamapping runs`, `report` and `settings`: what they print, without a model."""

import json

import pytest
from filelock import FileLock

from metamapping import __version__
from metamapping.adaptation.saved.task_folder import SavedTask
from metamapping.cli.run_names import find_run
from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.config.rounds import ConvergenceSpec
from metamapping.config.schema import RunConfig
from metamapping.config.sections import FIRST, describe_first, describe_section, section_names
from metamapping.config.sources import Source
from metamapping.corpus.prepared import Corpus
from metamapping.rounds.records import Round
from metamapping.rounds.verdict import judge
from metamapping.runs.folder import RunFolder
from metamapping.storage.artifacts import Reference
from metamapping.storage.manifest import write_manifest
from tests.adaptation.test_label_noise import noisy_state
from tests.cli.command import run_cli
from tests.html.reading import check_harmless
from tests.toy_rounds import toy_history


def open_toy_run(home, run_id):
    sources = [
        Source(name=role, task_type="sentiment-analysis", role=role, files=[f"{role}.csv"])
        for role in ("train", "validation", "test")
    ]
    config = RunConfig(name="toy", sources=sources, encoder=EncoderSpec(scratch=ScratchEncoder()))
    run = RunFolder(home, run_id)
    tokenizer = Reference(stage="tokenizer", name="toy", fingerprint="0", path="x", counts={})
    run.open(config, Corpus(tokens=[], tokenizer=tokenizer))
    return run


@pytest.fixture
def home(tmp_path):
    """A home with a run of two judged rounds, one without any, and one that is damaged."""
    run = open_toy_run(tmp_path, "toy-0123456789abcdef")
    reports = toy_history([0.6, 0.7])
    for i, report in enumerate(reports):
        run.append_round(Round(report=report, verdict=judge(reports[: i + 1], ConvergenceSpec())))
    open_toy_run(tmp_path, "new-0123456789abcdef")
    open_toy_run(tmp_path, "odd-0123456789abcdef").result("run").write_text("{}")
    return tmp_path


def listed(home, capsys):
    assert run_cli("runs", home, "--json") == 0
    return {row["run"].split("-")[0]: row for row in json.loads(capsys.readouterr().out)}


def test_runs_are_listed_with_their_state_and_best_round(home, capsys):
    runs = listed(home, capsys)
    assert runs["toy"]["state"] == "stopped"
    assert runs["toy"]["rounds"] == "2 of 5"
    assert (runs["toy"]["best"], runs["toy"]["accuracy"]) == (2, "0.700")
    assert runs["toy"]["gain"].startswith("+0.200")
    assert (runs["new"]["rounds"], runs["new"]["accuracy"]) == ("0 of 5", None)
    assert runs["odd"]["state"].startswith("damaged: ")


def test_a_run_that_someone_works_on_is_in_progress(home, capsys):
    (home / "locks").mkdir()
    with FileLock(home / "locks" / "toy-0123456789abcdef.lock"):
        assert listed(home, capsys)["toy"]["state"] == "in progress"


def test_the_list_is_a_table_for_people(home, capsys, tmp_path):
    assert run_cli("runs", home) == 0
    assert "toy-0123456789abcdef" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert run_cli("runs", tmp_path / "empty") == 0
    assert "There are no runs" in capsys.readouterr().out
    assert run_cli("runs", tmp_path / "missing") == 2
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["toy", "toy-0123456789abcdef", "{home}/runs/toy-0123456789abcdef"])
def test_a_run_is_reported_by_its_id_its_beginning_or_its_folder(name, home, capsys):
    assert run_cli("report", name.format(home=home), "--home", home) == 0
    printed = capsys.readouterr().out
    assert "Rounds of toy-0123456789abcdef" in printed
    assert "Not published yet" in printed


def test_a_run_without_rounds_and_an_unknown_run_are_said_so(home, capsys):
    assert run_cli("report", "new", "--home", home) == 0
    assert "no round is finished yet" in capsys.readouterr().out
    assert run_cli("report", "other", "--home", home) == 2
    assert "begins with 'other'; there are new-0123456789abcdef, " in capsys.readouterr().err
    assert run_cli("report", "tasks/missing", "--home", home) == 2
    assert "there is no folder tasks/missing" in capsys.readouterr().err
    open_toy_run(home, "toy-fedcba9876543210")
    assert run_cli("report", "toy", "--home", home) == 2
    assert "2 runs (toy-0123456789abcdef, toy-fedcba9876543210)" in capsys.readouterr().err


def test_runs_at_an_address_are_listed_and_found_by_the_beginning_of_their_ids(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("METAMAPPING_CACHE", str(tmp_path))
    home = "memory://listing/home"
    run = open_toy_run(home, "toy-0123456789abcdef")
    run.append_round(
        Round(report=(report := toy_history([0.7])[0]), verdict=judge([report], ConvergenceSpec()))
    )
    open_toy_run(home, "new-0123456789abcdef")
    runs = listed(home, capsys)
    assert sorted(runs) == ["new", "toy"]
    assert (runs["toy"]["state"], runs["toy"]["accuracy"]) == ("stopped", "0.700")
    assert not runs["toy"]["when"].startswith("1970")
    assert run_cli("report", "toy", "--home", home) == 0
    assert "Rounds of toy-0123456789abcdef" in capsys.readouterr().out
    assert run_cli("runs", "memory://listing/empty") == 0
    assert "There are no runs" in capsys.readouterr().out


def test_a_run_is_written_as_a_page(home, capsys, tmp_path):
    page = tmp_path / "page.html"
    assert run_cli("report", "toy", "--home", home, "--html", page) == 0
    assert f"Report: {page}" in capsys.readouterr().err
    assert "toy-0123456789abcdef" in check_harmless(page.read_text()).text
    assert not (home / "runs" / "toy-0123456789abcdef" / "report.html").exists()
    for odd in (tmp_path / "missing" / "page.html", tmp_path):
        assert run_cli("report", "toy", "--home", home, "--html", odd) == 2
        assert "give --html the name of a file in an existing folder" in capsys.readouterr().err


def test_a_page_is_opened_and_written_into_the_folder_of_the_run(home, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("typer.launch", lambda place: opened.append(place) or len(opened) - 1)
    page = home / "runs" / "toy-0123456789abcdef" / "report.html"
    assert run_cli("report", "toy", "--home", home, "--open") == 0
    assert opened == [str(page)]
    assert page.is_file()
    assert run_cli("report", "toy", "--home", home, "--open") == 2
    assert "no program opens" in capsys.readouterr().err


def test_a_task_is_reported_from_its_folder_alone(tmp_path, capsys, monkeypatch):
    state, _, _ = noisy_state(0.1, num_examples=40)
    task = SavedTask(tmp_path / "orders", state, "/encoders/published", "0123456789abcdef")
    (tmp_path / "orders").mkdir()
    write_manifest(tmp_path / "orders", {"stage": "task", "name": "orders", "fingerprint": "0", "counts": {}})
    monkeypatch.setattr("metamapping.adaptation.saved.task_folder.read_task", lambda folder: task)
    assert run_cli("report", tmp_path / "orders") == 0
    assert "40 examples, each predicted from the others" in capsys.readouterr().out
    assert run_cli("report", tmp_path / "orders", "--html", tmp_path / "orders.html") == 0
    assert "accuracy" in check_harmless((tmp_path / "orders.html").read_text()).text


def test_settings_are_listed_in_sections_and_the_first_ones_alone(capsys):
    assert len(describe_first().splitlines()) == len(FIRST) == 6
    names = [
        line.split()[0].rstrip(":") for name in section_names() for line in describe_section(name).split("\n")
    ]
    assert {"name", "seed", "training.meta_steps", "sources[].columns.text", "engine.runner"} <= set(names)
    assert len(names) == len(set(names))
    assert run_cli("settings") == 0
    assert "encoder.preset: " in capsys.readouterr().out
    assert run_cli("settings", "convergence") == 0
    assert "convergence.patience (default 3)" in capsys.readouterr().out
    assert run_cli("settings", "convergnce") == 2
    assert "did you mean 'convergence'?" in capsys.readouterr().err


def test_the_version_and_a_first_line_for_newcomers_are_printed(capsys):
    assert run_cli("--version") == 0
    assert capsys.readouterr().out == f"metamapping {__version__}\n"
    assert run_cli("--help") == 0
    assert "One encoder for many small language tasks" in capsys.readouterr().out


@pytest.fixture
def published_home(home):
    """The home with two runs that have published, as far as the registry can see."""
    for name in ("toy", "new"):
        manifest = home / "runs" / f"{name}-0123456789abcdef" / "published" / "manifest.json"
        manifest.parent.mkdir()
        manifest.write_text("{}")
    return home


def test_a_promoted_run_is_marked_and_a_rollback_undoes_it(published_home, capsys):
    for name in ("new", "toy"):
        assert run_cli("promote", name, "--home", published_home, "--why", f"try {name}") == 0
    assert "toy-0123456789abcdef is in production instead of new-0123456789abcdef." in capsys.readouterr().out
    assert listed(published_home, capsys)["toy"]["alias"] == "production"
    assert run_cli("rollback", "--home", published_home, "--why", "complaints", "--by", "bob") == 0
    capsys.readouterr()
    runs = listed(published_home, capsys)
    assert (runs["toy"]["alias"], runs["new"]["alias"]) == (None, "production")
    assert run_cli("runs", published_home, "--history") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[1:]] == ["promote", "promote", "rollback"]
    assert lines[-1].endswith("complaints")
    assert "bob" in lines[-1]


def test_an_alias_names_a_run(published_home, capsys):
    run_cli("promote", "toy", "--home", published_home)
    assert find_run("production", home=str(published_home)).run_id == "toy-0123456789abcdef"
    assert run_cli("promote", "candidate", "--home", published_home) == 2
    assert "is the candidate" in capsys.readouterr().err


def test_what_has_not_published_is_not_promoted(home, capsys):
    assert run_cli("promote", "toy", "--home", home) == 2
    assert "has no published encoder" in capsys.readouterr().err
    assert run_cli("rollback", "--home", home) == 2
    assert "nothing to roll back to" in capsys.readouterr().err
