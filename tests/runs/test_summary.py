"""The summary at the end of a run: what was gained, what to look at, and what to do next."""

import io
import re

import pandas as pd
import pytest
from rich.console import Console

from metamapping.config.rounds import ConvergenceSpec
from metamapping.config.schema import RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.rounds.records import Round
from metamapping.rounds.verdict import judge
from metamapping.runs.corpus_notes import CorpusNotes, describe_left_out, read_corpus_notes, remarks_on
from metamapping.runs.folder import RunFolder
from metamapping.runs.plan import describe_judged_round, describe_plan, describe_training_time
from metamapping.runs.screen import Screen, Work, current_screen
from metamapping.runs.summary import print_summary
from metamapping.storage.artifacts import Reference, Stage, Store
from tests.toy_rounds import toy_history, toy_report

SOURCES = pd.DataFrame(
    {"source": ["bank", "gym"], "rows in": [100, 50], "rows out": [70, 50], "truncated": [0.3, 0.0]}
)
REJECTS = pd.DataFrame(
    {"source": ["bank", "bank"], "reason": ["duplicate", "empty_text"], "rows": [26, 4], "example": ["a", ""]}
)
ROLES = {"coffee": "train", "books": "train", "hotel": "validation", "bank": "validation", "new": "test"}


def config_of(folder, **sections):
    sources = [
        {"name": name, "task_type": "text-classification", "role": role, "files": [f"{name}.csv"]}
        for name, role in ROLES.items()
    ]
    encoder = {"scratch": {}}
    settings = {"name": "toy", "home": str(folder), "sources": sources, "encoder": encoder, **sections}
    return RunConfig.model_validate(settings)


def finished_run(folder, accuracies, tests, **sections):
    """A run that has judged rounds of these accuracies and measured its test source."""
    config, store = config_of(folder, **sections), Store(folder)

    def write(folder):
        SOURCES.to_csv(folder / "sources.csv", index=False)
        REJECTS.to_csv(folder / "rejects.csv", index=False)
        return {}

    report = store.get_or_write(Stage("report", "corpus", 1, {}), write)
    tokens = [Reference(stage="tokens", name=n, fingerprint=n, path=n, counts={}) for n in ROLES]
    run = RunFolder(folder, "toy-0123456789abcdef")
    run.open(config, Corpus(tokens=tokens, tokenizer=tokens[0], report=report))
    reports, spec = toy_history(accuracies), ConvergenceSpec(max_rounds=len(accuracies))
    for number, each in enumerate(reports, 1):
        run.append_round(Round(report=each, verdict=judge(reports[:number], spec)))
    measured = toy_report(1, tests)
    for number, cells in ((1, measured.cells), (0, measured.untrained().cells)):
        run.write_result(f"test-{number}", {"cells": [c.model_dump(exclude={"baseline"}) for c in cells]})
    return run


def printed(run):
    file = io.StringIO()
    print_summary(run, Console(file=file, width=100))
    return file.getvalue()


def test_the_summary_says_what_was_gained_on_the_test_sources(tmp_path):
    text = printed(finished_run(tmp_path, [0.6], {"new": 0.7}))
    assert "Rounds of toy-0123456789abcdef: mean accuracy on 2 validation sources, 95 % intervals" in text
    assert "Accuracy on 1 test source" in text
    assert "new     text-classification  0.500   0.700  +0.200 [+0.200, +0.200]" in text
    assert "Meta-training has paid off on sources like the test sources: +0.200" in text
    assert "Last round. Round 1 brings a clear gain" in text


def test_the_summary_says_where_everything_is_and_what_comes_next(tmp_path):
    run = finished_run(tmp_path, [0.6], {"new": 0.7})
    text = printed(run)
    assert "Left out: 30 of 150 rows (26 duplicate, 4 empty text)" in text
    for name in ("README.md", "learning-curve.png"):
        assert f": {run.published}/{name}\n" in text
    assert f"Published: {run.published}\n" in text
    assert f"Next: metamapping adapt {run.published} examples.csv" in text
    assert (tmp_path / "data").is_dir()
    assert "/report.md\n" in text


def test_the_summary_points_at_what_is_suspicious(tmp_path):
    text = printed(finished_run(tmp_path, [0.6], {"new": 0.3}))
    assert "Look at: only 2 validation sources: with fewer than 5" in text
    assert "Look at: new: worse than before meta-training, -0.200" in text
    assert "Meta-training has cost accuracy on the test sources: -0.200" in text
    assert "Look at: bank: 30 of 100 rows were left out" in text


def test_where_nothing_was_gained_the_summary_says_what_to_try(tmp_path):
    text = printed(finished_run(tmp_path, [0.5], {"new": 0.5}))
    assert "Published your encoder, with its random weights, unchanged" in text
    assert "start from a pretrained encoder" in text
    pretrained = finished_run(tmp_path / "other", [0.5], {"new": 0.5}, encoder={"preset": "hf://a/b"})
    text = printed(pretrained)
    assert "Published your pretrained encoder unchanged" in text
    assert "start from a pretrained encoder" not in text
    assert "more meta-steps (`training.meta_steps`; 10 were taken" in text


def test_a_run_of_an_earlier_version_has_no_report_of_its_corpus(tmp_path):
    run = finished_run(tmp_path, [0.6], {"new": 0.7})
    run.open(run.config, run.corpus.model_copy(update={"report": None}))
    again = RunFolder(tmp_path, run.run_id)
    assert read_corpus_notes(again.corpus) == CorpusNotes()
    assert "Left out" not in printed(again)


def test_nothing_left_out_is_said_as_well():
    assert describe_left_out(SOURCES, REJECTS.head(0)) == "none of 150 rows"


def test_sources_that_lost_much_are_named():
    lost, truncated = remarks_on(SOURCES, REJECTS)
    assert lost == "bank: 30 of 100 rows were left out (26 duplicate, 4 empty text)"
    assert truncated.startswith("bank: 30% of the texts are longer than `encoder.max_length_tokens`")


def test_lists_of_labels_in_a_source_of_one_label_are_named_with_the_setting_they_need():
    rejects = pd.DataFrame([("bank", "not_one_label", 2)], columns=["source", "reason", "rows"])
    (several,) = remarks_on(SOURCES.assign(truncated=0.0), rejects)
    assert several.startswith("bank: the label of 2 rows is a list of several or of none")
    assert several.endswith("set `multi_label: true`")


def test_the_plan_names_rows_rounds_and_steps(tmp_path):
    run = finished_run(tmp_path, [0.6], {"new": 0.7}, convergence={"max_rounds": 5, "patience": 2})
    first, *_, last = describe_plan(run)
    assert first == "prepared 5 sources, left out 30 of 150 rows (26 duplicate, 4 empty text)"
    assert last == (
        "training toy-0123456789abcdef: up to 5 rounds × 100 meta-steps on 2 sources, measured on 2 "
        "validation sources, ends after 2 without a gain; 1 done before"
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (3.0, "the meta-steps of a round take about 5 min, those of 5 rounds about 25 min; measuring the "),
        (0.01, None),  # seconds in all are not worth a line
    ],
)
def test_the_time_of_a_run_is_estimated_from_its_first_steps(tmp_path, monkeypatch, seconds, expected):
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    work, lines = Work("meta-steps", 100), []
    for step in range(1, 50):
        now += 40.0 if step % 4 == 0 else seconds  # every fourth is compiled
        work.advance(step)
        lines.append(describe_training_time(work, 1, config_of(tmp_path)))
    said = [line for line in lines if line]
    assert len(said) == (expected is not None)
    assert expected is None or said[0].startswith(expected)


def test_the_line_of_a_round_has_times_only_on_a_screen(tmp_path):
    run = finished_run(tmp_path, [0.6, 0.7], {"new": 0.7})
    first = run.read_history()[0]
    assert "at most about" not in describe_judged_round(first, run.config, current_screen())
    with Screen(Console(file=io.StringIO())) as screen:
        line = describe_judged_round(first, run.config, screen)
    assert re.search(r"\(\d+ s, at most about \d+ s left\)$", line)  # the seconds of a busy machine
