"""What Label Studio and Argilla export is read as rows with texts and labels."""

import json

import pytest

from metamapping.adaptation.inputs.example_files import read_example_file
from metamapping.config.sources import Columns
from metamapping.corpus.tool_exports import is_unanswered, with_answers
from tests.corpus.toys import prepare, toy_source


def chosen(*choices, name="label", **annotation):
    result = {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": list(choices)}}
    return {"result": [result], **annotation}


def studio(text, *annotations):
    return {"id": 1, "data": {"text": text, "row": 3}, "annotations": list(annotations), "predictions": []}


def argilla(text, *responses, question="label"):
    return {
        "id": "1",
        "fields": {"text": text},
        "metadata": {},
        "suggestions": {question: {"value": "guess", "score": 0.9, "agent": "metamapping"}},
        "responses": {question: list(responses)} if responses else {},
    }


def label_of(row):
    return with_answers(row).get("label")


def test_the_answer_becomes_the_label_and_the_texts_become_columns():
    row = with_answers(studio("my parcel", chosen("delivery")))
    assert (row["text"], row["row"], row["label"]) == ("my parcel", 3, "delivery")
    row = with_answers(argilla("my parcel", {"value": "delivery", "user_id": "u"}))
    assert (row["text"], row["label"]) == ("my parcel", "delivery")
    flat = {"text": "a", "label.responses": ["x"], "label.responses.status": ["submitted"]}
    assert label_of(flat) == "x"


def test_the_only_question_is_the_label_whatever_its_name():
    assert label_of(studio("a", chosen("x", name="topic"))) == "x"
    assert label_of(argilla("a", {"value": "x"}, question="topic")) == "x"
    two = studio("a", {"result": [*chosen("x", name="topic")["result"], *chosen("y", name="mood")["result"]]})
    row = with_answers(two)
    assert (row["topic"], row["mood"], "label" in row) == ("x", "y", False)


def test_suggestions_are_no_answers():
    for row in (argilla("a"), studio("a")):
        assert is_unanswered(row)
        assert "label" not in with_answers(row)


def test_a_task_of_label_studio_that_was_never_annotated_has_a_text_and_no_answer():
    row = {"data": {"text": "a", "row": 3}, "predictions": [chosen("x")]}
    assert is_unanswered(row)
    assert with_answers(row)["text"] == "a"
    assert not is_unanswered({"data": {"text": "a"}})


def test_the_majority_counts_and_an_even_split_is_no_answer():
    assert label_of(studio("a", chosen("x"), chosen("y"), chosen("x"))) == "x"
    assert is_unanswered(studio("a", chosen("x"), chosen("y")))
    assert label_of(studio("a", chosen("x"), chosen("y", ground_truth=True))) == "y"
    assert label_of(argilla("a", {"value": "x"}, {"value": "x"}, {"value": "y"})) == "x"


def test_what_was_skipped_discarded_or_not_submitted_is_no_answer():
    assert is_unanswered(studio("a", chosen("x", was_cancelled=True)))
    assert is_unanswered(argilla("a", {"value": "x", "status": "discarded"}))
    assert label_of(argilla("a", {"value": "x", "status": "draft"}, {"value": "y"})) == "y"
    flat = {"text": "a", "q.responses": ["x", "y"], "q.responses.status": ["draft", None]}
    assert label_of(flat) == "y"


def test_several_choices_are_a_list_in_any_order():
    assert label_of(studio("a", chosen("x", "y"), chosen("y", "x"))) == ["x", "y"]
    assert label_of({"text": "a", "label": {"choices": ["x", "y"]}}) == ["x", "y"]


@pytest.mark.parametrize(
    "row",
    [
        {"text": "a", "label": "x"},
        {"data": "text", "annotations": 3},
        {"fields": [], "responses": {}},
        {"q.responses": ["x"], "text": "a"},
        studio("a", {"result": [{"value": {"start": 0, "end": 1, "labels": ["PER"]}}]}),
    ],
)
def test_other_objects_are_unchanged(row):
    assert with_answers(row) == row
    assert not is_unanswered(row)


@pytest.mark.parametrize("junk", [None, 3, "x", [], {}, {"value": None}, {"result": 3}, {"value": {"a": 1}}])
def test_malformed_annotations_do_not_stop_the_reading(junk):
    with_answers(studio("a", junk, {"result": [junk]}))
    with_answers(argilla("a", junk))
    with_answers({"responses": {"label": junk}, "fields": {"text": "a"}})
    with_answers({"q.responses": junk, "q.responses.status": junk})


def test_a_source_keeps_unanswered_rows_as_rejects(tmp_path):
    path = tmp_path / "export.json"
    rows = [studio("my parcel is late", chosen("delivery")), studio("refund me", chosen("refund"))]
    path.write_text(json.dumps([*rows, studio("hello there", chosen("refund", was_cancelled=True))]))
    examples, rejects, _ = prepare(toy_source(path), tmp_path / "out")
    assert [(row["text"], row["label"]) for row in examples] == [
        ("my parcel is late", "delivery"),
        ("refund me", "refund"),
    ]
    assert [(row["text"], row["reason"]) for row in rejects] == [("hello there", "not_accepted")]


def test_a_file_of_examples_is_read_without_the_unanswered_rows(tmp_path):
    path = tmp_path / "export.jsonl"
    rows = [
        argilla("my parcel", {"value": "delivery"}),
        argilla("hello"),
        argilla("money", {"value": "refund"}),
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.warns(UserWarning, match="not accepted are left out: row 2"):
        examples = read_example_file(path, Columns())
    assert (examples.texts, examples.labels) == (["my parcel", "money"], ["delivery", "refund"])
