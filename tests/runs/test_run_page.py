"""The page of a run: what was gained, where it fails, what was left out, and nothing that could run."""

from collections import Counter

import pandas as pd
import pytest

from metamapping.rounds.failures import EpisodeOutcome, failures_of
from metamapping.runs.folder import RunFolder
from metamapping.runs.outcome import summary_markdown
from metamapping.runs.run_page import run_page, write_run_page
from metamapping.storage.artifacts import Stage, Store
from metamapping.storage.manifest import MANIFEST, write_manifest
from tests.html.reading import HOSTILE, check_harmless
from tests.runs.test_summary import REJECTS, SOURCES, finished_run


def published_run(folder, accuracies=(0.6,), tests=None, **sections):
    """A run that has published, and whose test source confuses two labels."""
    run = finished_run(folder, list(accuracies), tests or {"new": 0.7}, **sections)
    run.published.mkdir(parents=True)
    (run.published / "README.md").write_text("# toy\n")
    write_manifest(run.published, {"stage": "published", "name": "toy"})
    return run


def with_failures(run, gold="fee", predicted="limit", role="test", round=1):
    outcome = EpisodeOutcome((gold, predicted), 0.25, Counter({gold: 4}), Counter({(gold, predicted): 3}))
    failures = failures_of("new", "text-classification", {4: [outcome]})
    result = run.read_result(f"{role}-{round}") or {"cells": []}
    run.write_result(f"{role}-{round}", {**result, "failures": [failures.model_dump()]})
    return run


def with_data_report(run, **tables):
    folder = run.corpus.report.fetch()
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / MANIFEST).unlink()
    write_manifest(folder, {})
    return run


def test_the_page_says_what_was_gained_and_where_everything_is(tmp_path):
    run = published_run(tmp_path)
    page = run_page(run)
    read = check_harmless(page)
    assert "Meta-training has paid off on sources like the test sources: +0.200" in read.text
    assert "+0.200 [+0.200, +0.200]" in read.text
    assert "1round, 10 meta-steps" in read.text
    for heading in ("Look at", "Test sources", "Rounds", "Validation sources", "Where it fails", "Sources"):
        assert heading in read.text
    links = [each["href"] for each in read.of("a")]
    assert "published/README.md" in links
    assert all((run.path / link).exists() for link in links)
    assert f"metamapping adapt {run.published} examples.csv" in read.text


def test_a_run_in_progress_has_a_page_without_test_sources(tmp_path):
    run = finished_run(tmp_path, [0.6, 0.7], {"new": 0.7})
    read = check_harmless(run_page(run))
    assert "not published yet, 2 rounds of at most" in read.text
    assert "Test sources" not in read.text
    assert len([each for each in read.of("circle") if each["class"].strip() == "dot"]) >= 3


def test_a_run_without_rounds_has_a_page(tmp_path):
    run = finished_run(tmp_path, [0.6], {"new": 0.7})
    (run.path / "rounds.jsonl").unlink()
    assert "No round is judged yet." in check_harmless(run_page(run)).text


def test_confused_labels_and_failed_episodes_are_shown_and_are_in_the_artifact(tmp_path):
    run = with_failures(published_run(tmp_path))
    read = check_harmless(run_page(run))
    assert "3 of 4 (75 %)" in read.text
    assert "0.25 with 4 examples a label (episode 1): fee, limit. Mostly fee → limit (3)" in read.text
    assert "| new | test | fee | limit | 3 of 4 |" in summary_markdown(run)


def test_scores_of_an_earlier_version_have_no_failures(tmp_path):
    run = published_run(tmp_path)
    assert "Not recorded" in check_harmless(run_page(run)).text
    assert "Most confused" not in summary_markdown(run)


def test_rejects_sources_and_labels_come_from_the_report_of_the_data(tmp_path):
    columns = {"role": ["train", "test"], "task type": "ner", "labels": [2, 3], "rows a label": "4 to 9"}
    rejects = REJECTS.assign(example=["a duplicate", ""])
    labels = pd.DataFrame({"source": ["bank"] * 50, "label": [f"l{i}" for i in range(50)], "rows": 3})
    run = with_data_report(
        published_run(tmp_path), sources=SOURCES.assign(**columns), rejects=rejects, labels=labels
    )
    read = check_harmless(run_page(run))
    for text in ("duplicate", "empty text", "a duplicate", "4 to 9", "30%", "l39 3", "and 10 more"):
        assert text in read.text


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_and_labels_of_data_stay_texts(tmp_path, text):
    shown = text.replace("\x00", "")  # a NUL ends a field of a CSV file
    run = with_failures(published_run(tmp_path), gold=shown, predicted="limit")
    labels = pd.DataFrame({"source": ["bank"], "label": [shown], "rows": [3]})
    run = with_data_report(run, rejects=REJECTS.assign(example=shown, reason=shown), labels=labels)
    read = check_harmless(run_page(run))
    assert read.text.count(" ".join(shown.split())) >= 4 or read.text.count(shown) >= 4
    assert "<script" not in summary_markdown(run)


def test_the_page_is_written_into_the_folder_of_the_run(tmp_path):
    run = published_run(tmp_path)
    assert not run.has_page
    assert write_run_page(run) == run.page
    assert RunFolder.at(run.path).has_page
    assert "report, a page for the browser" in summary_markdown(run)
    check_harmless(run.page.read_text())


def test_a_removed_report_of_the_data_leaves_the_sources_of_the_configuration(tmp_path):
    run = published_run(tmp_path)
    (run.corpus.report.fetch() / "sources.csv").unlink()
    read = check_harmless(run_page(run))
    assert "there is no report of the data" in read.text
    assert "coffee" in read.text


def with_suspicious_rows(run, text, upstream="bank", **columns):
    """A run whose source bank was checked: its row has this text."""
    table = pd.DataFrame(
        {
            "row": [3],
            "text": [text],
            "text_pair": None,
            "label": ["fee"],
            "suggested": ["limit"],
            "probability": [0.875],
            "similar": ["a limit"],
            **columns,
        }
    )

    def write(folder):
        table.to_csv(folder / "suspicious.csv", index=False)
        return {}

    Store(run.path.parent.parent).get_or_write(Stage("label-noise", "bank", 1, {}, [upstream]), write)
    return run


@pytest.mark.parametrize("text", ["what is my limit?", "<script>alert(1)</script>"])
def test_suspicious_labels_are_shown_where_they_were_looked_for(tmp_path, text):
    read = check_harmless(run_page(with_suspicious_rows(published_run(tmp_path), text)))
    for each in ("Suspicious labels", text, "0.875", "a limit"):
        assert each in read.text


@pytest.mark.parametrize("words", ["my limit", "<b>my limit</b>"])
def test_suspicious_words_are_shown_with_their_sentence(tmp_path, words):
    read = check_harmless(
        run_page(with_suspicious_rows(published_run(tmp_path), "what is my limit?", words=[words]))
    )
    assert f"{words} in: what is my limit?" in read.text


def test_suspicious_labels_of_other_rows_are_not_shown(tmp_path):
    run = with_suspicious_rows(published_run(tmp_path), "what is my limit?", upstream="older rows")
    assert "Suspicious" not in run_page(run)
