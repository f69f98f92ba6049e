"""The corpus report: it accounts for every row, and it is readable and safe to display."""

import numpy as np
import pandas as pd
import pytest

from metamapping.config.corpus import LeakageSpec
from metamapping.config.encoder import EncoderSpec, ScratchEncoder
from metamapping.corpus.leakage import read_leaks, write_leaks
from metamapping.corpus.report import markdown_table, read_source_table, to_markdown, write_report
from metamapping.corpus.report_tables import Prepared, _add_counts, _percentile, describe_corpus
from metamapping.corpus.screening import write_screened
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.corpus.tokenizer import TrainTexts, write_tokenizer
from metamapping.corpus.tokens import write_tokens
from metamapping.storage.artifacts import Reference
from metamapping.storage.manifest import write_manifest
from tests.corpus.toys import RULES, labelled, prepare, toy_source, write_jsonl


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """The report of two sources with a leak and some rejects, and the folder it is written to."""
    home = tmp_path_factory.mktemp("corpus")
    train = labelled(("where is my | parcel", "late"), ("it never came", "late"), ("so good", "praise"))
    train += labelled(("it never came", "late"), ("", "praise"), ("held out text", "praise"))
    held = labelled(("Held out text", "other"), ("another held text", "more"))
    sources, counts = [], []
    for name, role, rows in (("train", "train", train), ("held", "test", held)):
        sources.append(toy_source(write_jsonl(home / f"{name}.jsonl", rows), name=name, role=role))
        counts.append(prepare(sources[-1], home / name)[2])
    counts[0] |= {"spans_trimmed": 3, "spans_widened": 2}  # as of a source with spans
    folders = [str(home / source.name / "examples") for source in sources]
    for folder in ("leaks", "tokenizer", "report"):
        (home / folder).mkdir()
    write_leaks(sources, folders, LeakageSpec(), RULES.duplicates, home / "leaks")
    encoder = EncoderSpec(scratch=ScratchEncoder(vocabulary_size=100), max_length_tokens=8)
    write_tokenizer(encoder, TrainTexts(sources, folders, home / "leaks"), home / "tokenizer")
    tokenizer = load_tokenizer(home / "tokenizer", max_length_tokens=8)
    prepared = []
    for source, folder, count in zip(sources, folders, counts, strict=True):
        out = home / source.name
        (out / "tokens").mkdir()
        (out / "screened").mkdir()
        tokens = write_tokens(folder, tokenizer, out / "tokens")
        screened = write_screened(out / "tokens", read_leaks(home / "leaks", source.name), out / "screened")
        for each in ("examples", "tokens", "screened"):
            write_manifest(out / each, {})
        stages = (("examples", count), ("tokens", tokens), ("screened", screened))
        prepared.append(Prepared(source, *(reference(out, *stage) for stage in stages)))
    report = describe_corpus(prepared, home / "leaks")
    write_report(report, home / "report")
    return report, home


def reference(folder, stage, counts):
    return Reference(
        stage=stage, name=folder.name, fingerprint=stage, path=str(folder / stage), counts=counts
    )


def test_rows_in_are_rows_out_plus_rejects_for_each_source(reported):
    report, _ = reported
    left_out = report.rejects.groupby("source")["rows"].sum()
    for row in report.sources.to_dict("records"):
        assert row["rows in"] == row["rows out"] + left_out.get(row["source"], 0)


def test_each_reason_and_each_leaking_pair_is_counted(reported):
    report, _ = reported
    reasons = report.rejects.set_index("reason")["rows"].to_dict()
    assert reasons == {"duplicate": 1, "empty_text": 1, "leak:held": 1}
    assert report.leaks.to_dict("records") == [
        {"source": "train", "against": "held", "kind": "exact", "rows": 1}
    ]


def test_labels_are_counted_after_cleaning_and_screening(reported):
    report, _ = reported
    labels = report.labels[report.labels["source"] == "train"].set_index("label")["rows"]
    assert labels.to_dict() == {"late": 2, "praise": 1}


def test_the_report_is_written_as_markdown_tables_and_a_picture(reported):
    _, home = reported
    folder = home / "report"
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "2 sources, 8 rows in, 5 out, 3 left out." in text
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert [row["source"] for row in read_source_table(folder)] == ["train", "held"]
    assert set(pd.read_csv(folder / "labels.csv").columns) == {"source", "label", "rows"}


def test_no_vocabulary_is_learned_from_leaks(reported):
    _, home = reported
    source = toy_source(home / "train.jsonl", name="train")
    texts = TrainTexts([source], [str(home / "train" / "examples")], home / "leaks")
    assert list(texts) == ["where is my | parcel", "it never came", "so good"]


def test_a_text_cannot_break_out_of_its_cell():
    table = markdown_table(pd.DataFrame([{"a": "one | two\n<b>three", "b": 0.5, "c": 12345}]))
    assert table.splitlines()[2] == "| one \\| two &lt;b>three | 50.0% | 12,345 |"


def test_spans_that_were_changed_are_counted_for_their_source(reported):
    report, home = reported
    assert report.spans.to_dict("records") == [{"source": "train", "spans trimmed": 3, "spans widened": 2}]
    assert "| train | 3 | 2 |" in (home / "report/report.md").read_text()
    assert pd.read_csv(home / "report/spans.csv").equals(report.spans)


def test_without_changed_spans_nothing_is_said_about_them(reported):
    report, _ = reported
    assert "## Spans" in to_markdown(report)
    assert "## Spans" not in to_markdown(report._replace(spans=report.spans[:0]))


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 500])
def test_percentiles_of_counted_lengths_are_those_of_the_lengths(count):
    lengths = np.random.default_rng(count).integers(0, 60, count)
    counts = np.zeros(1, np.int64)
    for batch in np.array_split(lengths, 3):
        counts = _add_counts(counts, batch)
    for percentile in (0, 50, 95, 100):
        assert _percentile(counts, percentile) == pytest.approx(np.percentile(lengths, percentile))
    assert _percentile(np.zeros(1, np.int64), 50) == 0
