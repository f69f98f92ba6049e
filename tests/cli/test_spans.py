"""Files with spans on the command line: adapt, predict and evaluate, with spans in the output."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.adaptation import state
from metamapping.adaptation.scores import span_scores
from metamapping.cli.entity_fields import EntityFields
from metamapping.cli.rows import NumberedRow, TableRow
from metamapping.corpus.spans import Span
from tests.cli.command import run_cli
from tests.corpus.toys import write_jsonl

TEXTS = ["anna lives in paris.", "bob works in new york", "no names here"]
TRIPLES = [[[0, 4, "PER"], [14, 19, "LOC"]], [[0, 3, "PER"], [13, 21, "LOC"]], []]
ROWS = [{"id": i, "text": text, "label": TRIPLES[i]} for i, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spans")
    write_jsonl(folder / "annotated.jsonl", ROWS * 3)
    write_jsonl(folder / "new.jsonl", [{"id": 7, "text": TEXTS[1]}, {"id": 8, "text": " "}])
    return folder


@pytest.fixture(scope="module")
def task(folder, published):
    options = ("--out", folder / "task", "--task-type", "ner")
    assert run_cli("adapt", published, folder / "annotated.jsonl", *options) == 0
    return folder / "task"


def places(spans):
    return [[span["start"], span["end"], span["label"]] for span in spans]


def test_raw_texts_get_spans(folder, task):
    assert run_cli("predict", task, folder / "new.jsonl", "--out", folder / "out.jsonl") == 0
    first, empty = map(json.loads, (folder / "out.jsonl").read_text().splitlines())
    assert list(first) == ["id", "text", "prediction"]
    assert places(first["prediction"]) == TRIPLES[1]
    assert [span["text"] for span in first["prediction"]] == ["bob", "new york"]
    assert all(0 < span["probability"] <= 1 for span in first["prediction"])
    assert empty["prediction"] == []


def test_predicted_spans_can_be_learned_again(folder, task, published):
    assert run_cli("predict", task, folder / "annotated.jsonl", "--out", folder / "predicted.jsonl") == 0
    options = ("--label", "prediction", "--out", folder / "again", "--task-type", "ner")
    assert run_cli("adapt", published, folder / "predicted.jsonl", *options) == 0
    saved = json.loads((folder / "again" / "task.json").read_text())
    assert saved["texts"][0] == ["anna", "lives", "in", "paris", "."]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_get_spans(folder, task, suffix):
    out = folder / f"table-out.{suffix}"
    if suffix == "csv":
        (folder / "table.csv").write_text("id,body\n7,bob works in new york\n8,no names here\n9,\n")
        assert run_cli("predict", task, folder / "table.csv", "--text", "body", "--out", out) == 0
        with out.open(newline="") as file:
            rows = [row | {"prediction": json.loads(row["prediction"])} for row in csv.DictReader(file)]
    else:
        table = pa.table({"id": [7, 8, 9], "text": [TEXTS[1], TEXTS[2], ""]})
        pq.write_table(table, folder / "table.parquet")
        assert run_cli("predict", task, folder / "table.parquet", "--out", out) == 0
        rows = pq.read_table(out).to_pylist()
    assert [places(row["prediction"]) for row in rows] == [*TRIPLES[1:], []]


def test_a_file_in_which_nothing_is_found_is_parquet_too(folder, task):
    write_jsonl(folder / "none.jsonl", [{"text": TEXTS[2]}])
    assert run_cli("predict", task, folder / "none.jsonl", "--out", folder / "none.parquet") == 0
    assert pq.read_table(folder / "none.parquet")["prediction"].to_pylist() == [[]]


def test_words_get_tags_and_texts_spans_with_probabilities(folder, task, capsys):
    write_jsonl(folder / "words.jsonl", [{"words": ["bob", "works"]}])
    assert run_cli("predict", task, folder / "words.jsonl", "--proba") == 0
    assert json.loads(capsys.readouterr().out)["prediction"] == ["B-PER", "O"]
    assert run_cli("predict", task, folder / "new.jsonl", "--proba", "--threshold", "0.01") == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["probability"] == [span["probability"] for span in first["prediction"]]


def test_evaluate_compares_spans(folder, task, capsys):
    cut = {"text": "bob works in rome", "label": [[0, 2, "PER"]]}
    write_jsonl(folder / "test.jsonl", [*ROWS, cut, ROWS[0] | {"answer": "reject"}])
    assert run_cli("evaluate", task, folder / "test.jsonl", "--json") == 0
    output = capsys.readouterr()
    scores = json.loads(output.out)
    assert scores["rows"] == 4
    assert scores["labels"][1] | {"count": 3, "recall": 2 / 3} == scores["labels"][1]
    assert "note: 1 row left out: not accepted (`answer`)" in output.err
    assert "inside a word, and cannot be found (the first is 0 to 2, 'PER', of 'bob' in row 4)" in output.err


def test_span_scores_count_whole_spans():
    gold = [[(0, 3, "A"), (5, 9, "B")], []]
    predicted = [[(0, 3, "A"), (5, 8, "B")], [(1, 2, "A")]]
    scores = span_scores(gold, predicted)
    assert scores.scores["entity F1"].mean == pytest.approx(2 / 5)
    assert [(each.label, each.f1, each.count) for each in scores.labels] == [
        ("A", pytest.approx(2 / 3), 1),
        ("B", 0.0, 1),
    ]


def test_spans_that_cut_a_word_and_types_that_look_alike_are_noted(folder, published, capsys):
    rows = [*ROWS[:2], {"text": "eve is in rome", "label": [[0, 2, "PER"], [10, 14, "loc"]]}]
    write_jsonl(folder / "cut.jsonl", rows)
    options = ("--task-type", "ner", "--out", folder / "cut")
    assert run_cli("adapt", published, folder / "cut.jsonl", *options) == 0
    told = capsys.readouterr().err
    assert "note: a span begins or ends inside a word, and the whole word is learned" in told
    assert told.count("note: the labels 'LOC' and 'loc' differ only in capital letters") == 1
    assert "3 examples of 3 entity types" in told


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "eve", "label": [[0, 9, "PER"]]}, "row 2: the span 0 to 9"),
        ({"text": "eve", "label": "PER"}, "row 2: the spans are PER: expected a list of spans"),
        ({"words": ["eve"], "tags": ["O"]}, "row 2 has words, but row 1 has a text"),
        ({"text": "eve"}, "row 2 has no 'spans', but text"),
    ],
)
def test_a_row_that_cannot_be_learned_is_named(folder, published, capsys, row, message):
    write_jsonl(folder / "bad.jsonl", [ROWS[0], row])
    options = ("--task-type", "ner", "--out", folder / "bad")
    assert run_cli("adapt", published, folder / "bad.jsonl", *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"text": "bob works"}, "bob works"),
        ({"words": "bob works"}, ["bob", "works"]),
        ({"text": "bob works", "tags": "O O"}, ["bob", "works"]),
        ({"text": '["bob", "new york"]'}, ["bob", "new york"]),
        ({"text": "[sic] he said"}, "[sic] he said"),
        ({"text": "bob works", "spans": []}, "bob works"),
        ({"text": "bob works", "label": "refund"}, "bob works"),
        ({"tokenized_text": ["bob", "works"]}, ["bob", "works"]),
        ({"data": {"body": "bob works"}, "annotations": []}, "bob works"),
        (TableRow(text="bob works", tags="O O"), ["bob", "works"]),
        (NumberedRow({"0": "bob works"}), "bob works"),
        (NumberedRow({"0": "bob works", "1": "O O"}), ["bob", "works"]),
    ],
)
def test_a_string_is_a_text_unless_something_says_that_it_is_words(row, text):
    assert EntityFields().texts([row]) == [text]


def test_spans_of_every_tool_are_read():
    text = "Eve moved"
    rows = [
        {"text": text, "label": [[0, 3, "PER"]]},
        {"text": text, "spans": [{"start": 0, "end": 3, "label": "PER"}]},
        {
            "data": {"text": text},
            "annotations": [{"result": [{"value": {"start": 0, "end": 3, "labels": ["PER"]}}]}],
        },
        TableRow(text=text, spans='[[0, 3, "PER"]]'),
    ]
    assert EntityFields().labels(rows) == [[Span(0, 3, "PER")]] * 4
    words = [{"tokenized_text": ["Eve", "moved"], "ner": [[0, 0, "PER"]]}]
    assert EntityFields().labels(words) == [["B-PER", "O"]]


def test_tags_are_checked_and_sentences_suggested(folder, task, published, capsys):
    write_jsonl(folder / "checked.jsonl", [*ROWS * 2, ROWS[0] | {"answer": "reject"}])
    options = ("--task-type", "ner", "--num", 2, "--out", folder / "suspicious.jsonl")
    assert run_cli("check-labels", published, folder / "checked.jsonl", *options) == 0
    output = capsys.readouterr()
    assert "2 suspicious labels in 26 words" in output.out
    assert "1 row left out: not accepted" in output.err
    rows = [json.loads(line) for line in (folder / "suspicious.jsonl").read_text().splitlines()]
    for row in rows:
        assert row["excerpt"] in row["text"]
        assert row["given"] != row["suggested"]
        assert row["similar"][0]["word"] is not None
    # An empty text is not suggested, nor one of the task's own examples, nor a text twice.
    pool = folder / "pool.jsonl"
    unlike = f"{TEXTS[1]} ."
    write_jsonl(pool, [{"text": text} for text in (TEXTS[1], " ", unlike, unlike)])
    assert run_cli("suggest", task, pool, "--num", 2) == 0
    output = capsys.readouterr()
    (first,) = map(json.loads, output.out.splitlines())
    assert first["row"] == 3
    assert places(first["prediction"]) == TRIPLES[1]
    assert "only 1 of 4 rows can be suggested" in output.err
    chosen = folder / "chosen.json"
    assert run_cli("suggest", task, pool, "--for", "label-studio", "--out", chosen) == 0
    (written,) = json.loads(chosen.read_text())
    values = [each["value"] for each in written["predictions"][0]["result"]]
    assert [[each["start"], each["end"], *each["labels"]] for each in values] == places(first["prediction"])
    assert run_cli("suggest", task, pool, "--for", "argilla") == 2
    assert "for ner give --for label-studio" in capsys.readouterr().err
    assert run_cli("explain", task, TEXTS[0], "--word", 3, "--label", "LOC", "--json") == 0
    assert json.loads(capsys.readouterr().out)["label"] == "LOC"


def test_an_entity_that_was_left_out_is_named(task, monkeypatch, capsys):
    monkeypatch.setattr(state, "MIN_ENTITY_PROBABILITY", 1.01)
    assert run_cli("explain", task, TEXTS[0], "--word", 3, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["label"] != "O"
    assert run_cli("explain", task, TEXTS[0], "--word", 3) == 0
    shown = f"O is predicted, because the entity ({found['label']}) is right with a probability of only"
    assert f"{shown} {found['left_out_probability']:.2f}" in capsys.readouterr().out


def test_lists_of_words_are_suggested_to_label_studio_as_texts(folder, task):
    write_jsonl(folder / "words.jsonl", [{"words": ["bob", "works", "in", "new", "york", "."]}])
    chosen = folder / "chosen.json"
    assert run_cli("suggest", task, folder / "words.jsonl", "--for", "label-studio", "--out", chosen) == 0
    (written,) = json.loads(chosen.read_text())
    assert written["data"]["text"] == f"{TEXTS[1]} ."
    values = [each["value"] for each in written["predictions"][0]["result"]]
    assert [[each["start"], each["end"], *each["labels"]] for each in values] == TRIPLES[1]
