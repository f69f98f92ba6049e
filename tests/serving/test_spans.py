"""Texts with spans over HTTP: text in, entities out, with the offsets of the text."""

import pytest

from metamapping import MetaMapper
from metamapping.serving.limits import Limits

TEXTS = ["anna lives in paris.", "bob works in new york"]
SPANS = [[(0, 4, "PER"), (14, 19, "LOC")], [(0, 3, "PER"), (13, 21, "LOC")]]
EXAMPLES = [
    {"text": text, "label": [{"start": start, "end": end, "label": label} for start, end, label in spans]}
    for text, spans in zip(TEXTS * 3, SPANS * 3, strict=True)
]
TASK = {"task_type": "ner", "examples": EXAMPLES}


@pytest.fixture
def client(serve):
    return serve(limits=Limits(characters=5_000))


def test_texts_get_the_entities_that_the_library_finds(client, published):
    answer = client.put("/tasks/places", json=TASK)
    assert answer.status_code == 201
    assert answer.json()["labels"] == ["O", "PER", "LOC"]
    assert answer.json()["notes"] == []
    asked = {"texts": [*TEXTS, ""], "probabilities": True}
    answer = client.post("/tasks/places/predict", json=asked).json()
    mapping = MetaMapper.from_pretrained(published).adapt(TEXTS * 3, SPANS * 3, task_type="ner")
    expected = [[entity._asdict() for entity in row] for row in mapping.predict(asked["texts"])]
    assert [len(row) for row in expected] == [2, 2, 0]
    for row, true in zip(answer["predictions"], expected, strict=True):
        for entity, known in zip(row, true, strict=True):
            assert entity == known | {"probability": pytest.approx(known["probability"], abs=1e-4)}
    assert [len(rows) for rows in answer["probabilities"]] == [5, 5, 0]


def test_examples_with_spans_are_added_with_notes_of_what_was_changed(client):
    client.put("/tasks/places", json=TASK)
    cut = {"text": "eve is in rome", "label": [{"start": 0, "end": 2, "label": "PER"}]}
    answer = client.post("/tasks/places/examples", json={"examples": [cut]}).json()
    assert answer["num_examples"] == 7
    (note,) = answer["notes"]
    assert "a span begins or ends inside a word" in note
    assert "of 'eve' in text 0" in note
    again = client.put("/tasks/cut", json=TASK | {"examples": [*EXAMPLES, cut]}).json()
    assert "in text 6" in again["notes"][0]
    assert "notes" not in client.get("/tasks/places").json()


def test_words_are_answered_with_tags_as_before(client):
    client.put("/tasks/places", json=TASK)
    asked = {"texts": [["anna", "lives", "in", "paris"]]}
    answer = client.post("/tasks/places/predict", json=asked).json()
    assert [len(tags) for tags in answer["predictions"]] == [4]
    assert all(isinstance(tag, str) for tag in answer["predictions"][0])


def test_a_threshold_leaves_entities_out(client):
    client.put("/tasks/places", json=TASK)
    answer = client.post("/tasks/places/predict", json={"texts": TEXTS, "threshold": 1}).json()
    assert answer["predictions"] == [[], []]


def test_zero_shot_finds_entities_in_texts(client):
    asked = {"texts": TEXTS, "labels": ["person", "place"], "task_type": "ner"}
    answer = client.post("/zero-shot", json=asked)
    assert answer.status_code == 200
    for text, row in zip(TEXTS, answer.json()["predictions"], strict=True):
        for entity in row:
            assert text[entity["start"] : entity["end"]] == entity["text"]


@pytest.mark.parametrize(
    ("example", "message"),
    [
        ({"text": "eve", "label": [{"start": 0, "end": 9, "label": "PER"}]}, "outside of the text"),
        ({"text": "eve", "label": ["B-PER"]}, "give the text as a list of words"),
        ({"text": ["eve"], "label": ["B-PER"]}, "give all texts as strings, or all as lists of words"),
        ({"text": "eve x", "label": [{"start": 3, "end": 4, "label": "PER"}]}, "nothing but white space"),
    ],
)
def test_spans_that_do_not_fit_are_refused_with_their_text(client, example, message):
    answer = client.put("/tasks/places", json={"task_type": "ner", "examples": [EXAMPLES[0], example]})
    assert answer.status_code == 422
    assert message in answer.json()["detail"]


def test_spans_of_characters_are_not_taken_for_spans_of_words(client):
    example = {"text": ["eve"], "label": [{"start": 0, "end": 1, "label": "A"}]}
    answer = client.put("/tasks/places", json={"task_type": "ner", "examples": [example]})
    assert answer.status_code == 422
    assert "for a list of words, expected the numbers of its first and last word" in answer.json()["detail"]
