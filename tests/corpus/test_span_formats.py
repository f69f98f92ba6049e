"""Texts with spans are read from the files of all annotation tools; faulty rows are rejected."""

import json

import pandas as pd
import pytest

from metamapping.config.sources import Columns
from metamapping.corpus.examples import write_examples
from metamapping.corpus.label_counts import count_labels
from metamapping.corpus.records import write_records
from metamapping.corpus.source_checks import check_source
from metamapping.errors import ConfigError
from metamapping.storage.artifacts import Stage, write_manifest
from tests.corpus.toys import RULES, prepare, records_of, toy_source, write_jsonl

TEXT = "Eve moved to New York."
WORDS, TAGS = ["Eve", "moved", "to", "New", "York", "."], ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"]
TRIPLES = [[0, 3, "PER"], [13, 21, "LOC"]]
OBJECTS = [{"start": start, "end": end, "label": label} for start, end, label in TRIPLES]
REGIONS = [
    {"start": start, "end": end, "text": TEXT[start:end], "labels": [label]} for start, end, label in TRIPLES
]
RESULT = [
    *({"id": "r", "from_name": "label", "type": "labels", "value": value} for value in REGIONS),
    {"type": "choices", "value": {"choices": ["spam"]}},
    {"type": "relation", "from_id": "a", "to_id": "b"},
]
DOCCANO = [
    {"id": i, "start_offset": start, "end_offset": end, "label": label}
    for i, (start, end, label) in enumerate(TRIPLES)
]

ROWS = {
    "doccano": {"id": 1, "text": TEXT, "label": TRIPLES},
    "doccano, older": {"id": 1, "text": TEXT, "labels": TRIPLES},
    "doccano with relations": {"text": TEXT, "entities": DOCCANO, "relations": []},
    "prodigy": {
        "text": TEXT,
        "tokens": [{"text": "Eve", "start": 0, "end": 3, "id": 0}],
        "spans": [each | {"token_start": 0, "token_end": 0} for each in OBJECTS],
        "answer": "accept",
    },
    "spacy": {"text": TEXT, "entities": TRIPLES},
    "spacy pair": [TEXT, {"entities": TRIPLES}],
    "label studio": {"id": 1, "data": {"text": TEXT}, "annotations": [{"id": 2, "result": RESULT}]},
    "label studio, another name": {"data": {"body": TEXT, "id": 3}, "annotations": [{"result": RESULT}]},
    "label studio, cancelled": {
        "data": {"text": TEXT},
        "annotations": [{"result": [], "was_cancelled": True}, {"result": RESULT, "was_cancelled": False}],
    },
    "label studio, ground truth": {
        "data": {"text": TEXT},
        "annotations": [{"result": []}, {"result": RESULT, "ground_truth": True}],
    },
    "label studio, minimal": {"text": TEXT, "label": REGIONS},
    "gliner": {"tokenized_text": WORDS, "ner": [[0, 0, "PER"], [3, 4, "LOC"]]},
    "object with types": {"text": TEXT, "spans": [{"start": 0, "end": 3, "type": "PER"}, OBJECTS[1]]},
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("form", ["lines", "array"])
def test_every_tools_rows_become_words_and_tags(tmp_path, row, form):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n" if form == "lines" else json.dumps([row], indent=1))
    source = toy_source(path, task_type="ner")
    check_source(source)
    assert count_labels(source) == {"PER": 1, "LOC": 1}
    (record,) = records_of(source)
    assert (record["words"], record["tags"], record["fault"]) == (WORDS, TAGS, None)


EMPTY = {
    "doccano": {"text": TEXT, "label": []},
    "prodigy": {"text": TEXT, "spans": []},
    "spacy pair": [TEXT, {"entities": []}],
    "label studio": {"data": {"text": TEXT}, "annotations": [{"result": []}]},
    "gliner": {"tokenized_text": WORDS, "ner": []},
}


@pytest.mark.parametrize("row", EMPTY.values(), ids=EMPTY)
def test_a_text_without_spans_has_no_entities(tmp_path, row):
    (record,) = records_of(toy_source(write_jsonl(tmp_path / "a.jsonl", [row]), task_type="ner"))
    assert (record["words"], record["tags"], record["fault"]) == (WORDS, ["O"] * 6, None)


def test_rows_of_several_tools_may_be_in_one_file(tmp_path):
    rows = [{"text": TEXT, "entities": OBJECTS}, {"text": TEXT, "spans": OBJECTS}, ROWS["gliner"]]
    records = records_of(toy_source(write_jsonl(tmp_path / "a.jsonl", rows), task_type="ner"))
    assert [record["tags"] for record in records] == [TAGS] * 3


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet"])
def test_tables_have_spans_as_json_or_as_nested_columns(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".parquet":
        pd.DataFrame({"text": [TEXT], "spans": [OBJECTS]}).to_parquet(path)
    else:
        tab = path.suffix == ".tsv"
        frame = pd.DataFrame({"text": [TEXT], "spans": [json.dumps(TRIPLES)]})
        frame.to_csv(path, index=False, sep="\t" if tab else ",", quoting=3 if tab else 0)
    source = toy_source(path, task_type="ner")
    check_source(source)
    (record,) = records_of(source)
    assert (record["words"], record["tags"]) == (WORDS, TAGS)


def test_columns_of_any_name_can_be_chosen(tmp_path):
    rows = [{"doc": {"body": TEXT}, "marks": TRIPLES, "label": "spam"}, {"doc": {"body": "no"}, "marks": []}]
    columns = Columns(text="doc.body", label="marks")
    source = toy_source(write_jsonl(tmp_path / "a.jsonl", rows), task_type="ner", columns=columns)
    check_source(source)
    assert [record["tags"] for record in records_of(source)] == [TAGS, ["O"]]


def test_words_and_tags_have_precedence_over_spans(tmp_path):
    row = {"words": ["a"], "tags": ["O"], "text": TEXT, "spans": OBJECTS}
    (record,) = records_of(toy_source(write_jsonl(tmp_path / "a.jsonl", [row]), task_type="ner"))
    assert record["words"] == ["a"]


FAULTS = {
    "no spans": ({"text": TEXT, "spans": None}, "missing_label"),
    "nothing annotated": ({"data": {"text": TEXT}, "annotations": []}, "missing_label"),
    "a word": ({"text": TEXT, "label": "PER"}, "malformed_spans"),
    "an object": ({"text": TEXT, "label": {"a": 1}}, "malformed_spans"),
    "numbers": ({"text": TEXT, "label": [1, 2]}, "malformed_spans"),
    "two numbers": ({"text": TEXT, "label": [[0, 3]]}, "malformed_spans"),
    "texts as offsets": ({"text": TEXT, "label": [["0", "3", "PER"]]}, "malformed_spans"),
    "true as offset": ({"text": TEXT, "label": [[True, 3, "PER"]]}, "malformed_spans"),
    "half offsets": ({"text": TEXT, "label": [[0.5, 3, "PER"]]}, "malformed_spans"),
    "no label": ({"text": TEXT, "spans": [{"start": 0, "end": 3}]}, "malformed_spans"),
    "blank label": ({"text": TEXT, "label": [[0, 3, " "]]}, "malformed_spans"),
    "outside as label": ({"text": TEXT, "label": [[0, 3, "O"]]}, "malformed_spans"),
    "two labels": (
        {"text": TEXT, "label": [{"start": 0, "end": 3, "labels": ["A", "B"]}]},
        "malformed_spans",
    ),
    "objects for words": ({"tokenized_text": WORDS, "ner": OBJECTS}, "malformed_spans"),
    "overlap": ({"text": TEXT, "label": [[0, 9, "A"], [4, 12, "B"]]}, "overlapping_spans"),
    "nested": ({"text": TEXT, "label": [[0, 21, "A"], [13, 21, "B"]]}, "overlapping_spans"),
    "too far": ({"text": TEXT, "label": [[13, 99, "A"]]}, "span_out_of_range"),
    "too far, words": ({"tokenized_text": WORDS, "ner": [[5, 6, "A"]]}, "span_out_of_range"),
    "turned round": ({"text": TEXT, "label": [[3, 0, "A"]]}, "empty_span"),
    "white space": ({"text": TEXT, "label": [[3, 4, "A"]]}, "empty_span"),
    "another text": ({"text": TEXT, "label": [REGIONS[0] | {"text": "Bob"}]}, "span_text_differs"),
    "prodigy, rejected": (ROWS["prodigy"] | {"answer": "reject"}, "not_accepted"),
    "prodigy, ignored": (ROWS["prodigy"] | {"answer": "ignore"}, "not_accepted"),
    "all cancelled": (
        {"data": {"text": TEXT}, "annotations": [{"result": RESULT, "was_cancelled": True}]},
        "not_accepted",
    ),
    "annotators differ": (
        {"data": {"text": TEXT}, "annotations": [{"result": RESULT}, {"result": []}]},
        "several_annotations",
    ),
}


@pytest.mark.parametrize(("row", "reason"), FAULTS.values(), ids=FAULTS)
def test_a_fault_rejects_its_row_with_the_reason_and_no_other(tmp_path, row, reason):
    path = write_jsonl(tmp_path / "a.jsonl", [ROWS["doccano"], row])
    examples, (reject,), counts = prepare(toy_source(path, task_type="ner"), tmp_path / "out")
    assert [example["words"] for example in examples] == [WORDS]
    assert reject["reason"] == reason
    assert reject["text"] in (TEXT, " ".join(WORDS))
    assert counts[f"rejects.{reason}"] == 1


def test_a_file_without_a_usable_row_is_refused_with_the_problem_of_the_first(tmp_path):
    path = write_jsonl(tmp_path / "a.jsonl", [{"text": TEXT, "label": [[0, 99, "A"]]}] * 3)
    with pytest.raises(
        ConfigError, match="none of its first 3 rows can be used; in the first, the span 0 to 99"
    ):
        check_source(toy_source(path, task_type="ner"))


def test_a_file_without_annotations_is_refused_with_what_is_read(tmp_path):
    source = toy_source(write_jsonl(tmp_path / "a.jsonl", [{"text": TEXT}]), task_type="ner")
    with pytest.raises(ConfigError, match="`ner` reads `words` and `tags`, or `text` and `spans`"):
        check_source(source)


def test_trimmed_and_widened_spans_are_counted(tmp_path):
    rows = [
        {"text": TEXT, "label": [[0, 4, "PER"], [13, 19, "LOC"]]},
        {"text": "Ann left.", "label": [[1, 3, "PER"]]},
    ]
    source = toy_source(write_jsonl(tmp_path / "a.jsonl", rows), task_type="ner")
    (tmp_path / "records").mkdir()
    counts = write_records(source, tmp_path / "records")
    assert counts == {"rows_out": 2, "spans_trimmed": 1, "spans_widened": 2}
    assert [record["tags"] for record in records_of(source)] == [TAGS, ["B-PER", "O", "O"]]
    write_manifest(tmp_path / "records", Stage("records", "toy", 1, {}, []), counts)
    (tmp_path / "examples").mkdir()
    written = write_examples(source, RULES, tmp_path / "records", tmp_path / "examples")
    assert written["spans_trimmed"] == 1
    assert written["spans_widened"] == 2


def test_a_text_classification_source_reads_its_labels_as_before(tmp_path):
    (record,) = records_of(toy_source(write_jsonl(tmp_path / "a.jsonl", [ROWS["doccano"]])))
    assert (record["text"], record["fault"]) == (TEXT, "not_one_label")
