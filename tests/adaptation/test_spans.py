"""Tasks of strings with spans: predicted as spans, and the same task as with words and tags."""

import json

import numpy as np
import pandas as pd
import pytest

from metamapping import Columns, Entity, Mapping
from metamapping.adaptation.inputs.inputs import read_examples

TEXTS = ["Eve moved to London.", "Bob lives in New York", "no names here"]
SPANS = [[(0, 3, "PER"), (13, 19, "LOC")], [(0, 3, "PER"), (13, 21, "LOC")], []]
WORDS = [
    ["Eve", "moved", "to", "London", "."],
    ["Bob", "lives", "in", "New", "York"],
    ["no", "names", "here"],
]
TAGS = [["B-PER", "O", "O", "B-LOC", "O"], ["B-PER", "O", "O", "B-LOC", "I-LOC"], ["O"] * 3]
OBJECTS = [[{"start": s, "end": e, "label": label} for s, e, label in row] for row in SPANS]


@pytest.fixture(scope="module")
def mapping(mapper):
    return mapper.adapt(TEXTS * 3, SPANS * 3, task_type="ner")


@pytest.mark.parametrize(
    ("texts", "labels"),
    [
        (TEXTS, SPANS),
        (tuple(TEXTS), OBJECTS),
        (np.array(TEXTS), [{"entities": row} for row in SPANS]),
        (pd.Series(TEXTS), pd.Series(OBJECTS)),
        (TEXTS, [json.dumps(row) for row in OBJECTS]),
        (WORDS, [[(0, 0, "PER"), (3, 3, "LOC")], [(0, 0, "PER"), (3, 4, "LOC")], []]),
        (WORDS, TAGS),
    ],
)
def test_spans_of_every_form_are_read_as_words_and_tags(texts, labels):
    assert read_examples(texts, labels, task_type="ner") == (WORDS, TAGS, None)


@pytest.mark.parametrize("name", ["spans", "entities", "label", "labels"])
def test_tables_with_spans_need_no_names_of_columns(name):
    frame = pd.DataFrame({"text": TEXTS, name: OBJECTS})
    assert read_examples(frame, task_type="ner").labels == TAGS
    renamed = frame.rename(columns={"text": "body", name: "marks"})
    columns = Columns(text="body", label="marks")
    assert read_examples(renamed, task_type="ner", columns=columns).labels == TAGS


def test_strings_are_answered_with_entities(mapping):
    assert mapping.labels == ("O", "PER", "LOC")
    found = mapping.predict(TEXTS)
    assert [[entity[1:4] for entity in row] for row in found] == SPANS
    for text, row in zip(TEXTS, found, strict=True):
        for entity in row:
            assert isinstance(entity, Entity)
            assert entity.text == text[entity.start : entity.end]
            assert 0 < entity.probability <= 1


def test_entities_are_the_tags_of_the_words(mapping):
    assert mapping.predict(WORDS) == TAGS
    for strings, words in zip(mapping.predict_proba(TEXTS), mapping.predict_proba(WORDS), strict=True):
        np.testing.assert_allclose(strings, words, atol=1e-5)


def test_predictions_can_be_learned(mapping):
    predicted = mapping.predict(TEXTS)
    assert read_examples(TEXTS, predicted, task_type="ner").labels == TAGS


def test_entities_below_the_threshold_are_left_out(mapping):
    everything = mapping.predict(TEXTS)
    least, *_ = sorted(entity.probability for row in everything for entity in row)
    above = mapping.predict(TEXTS, threshold=least + 1e-6)
    assert sum(map(len, above)) == sum(map(len, everything)) - 1
    assert mapping.predict(TEXTS, threshold=1.0) == [[], [], []]


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_string_has_no_entities(mapping, text):
    assert mapping.predict([text]) == [[]]
    (probabilities,) = mapping.predict_proba([text])
    assert probabilities.shape == (0, 3)
    assert mapping.predict([]) == []


def test_a_saved_task_of_spans_adds_and_removes_them(mapper, tmp_path):
    mapping = mapper.adapt(TEXTS[:1], SPANS[:1], task_type="ner")
    loaded = Mapping.load(mapping.save(tmp_path / "task"), mapper)
    loaded.add(TEXTS[1:], OBJECTS[1:])
    together = mapper.adapt(TEXTS, SPANS, task_type="ner")
    assert loaded.num_examples == 3
    for added, known in zip(loaded.predict_proba(TEXTS), together.predict_proba(TEXTS), strict=True):
        np.testing.assert_allclose(added, known, atol=1e-4)
    loaded.remove(label="LOC")
    assert {entity.label for row in loaded.predict(TEXTS) for entity in row} <= {"PER"}
    loaded.add(WORDS[:1], TAGS[:1])  # words with tags may follow strings with spans
    assert loaded.num_examples == 4


def test_a_task_of_label_names_alone_finds_entities_in_strings(mapper):
    mapping = mapper.zero_shot(["person", "place"], task_type="ner")
    for row in mapping.predict(TEXTS):
        for entity in row:
            assert entity.label in ("person", "place")


def test_spans_that_cut_a_word_are_learned_with_a_warning(mapper):
    with pytest.warns(UserWarning, match=r"inside a word, .* is 0 to 2, 'PER', of 'Eve' in text 1"):
        mapping = mapper.adapt(TEXTS[1:2] + TEXTS[:1], [SPANS[1], [(0, 2, "PER")]], task_type="ner")
    with pytest.warns(UserWarning, match="inside a word"):
        mapping.add(TEXTS[:1], [[(0, 2, "PER")]])


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (
            ["Eve"],
            [["B-PER"]],
            "label 0: the spans are B-PER: .*; for tags, give .* a list of words",
        ),
        (["Eve", "Bob"], [[], [(0, 9, "PER")]], "label 1: the span 0 to 9 .* outside of the text"),
        (["Eve", ["Bob"]], [[], ["O"]], r"text 1 is \['Bob'\], but text 0 is 'Eve': .* all texts as strings"),
        ([["Eve"]], [[{"start": 0, "end": 3, "label": "A"}]], "label 0: a span is .* for a list of words"),
        (["Eve"], [None], "label 0: there are no spans: .* or \\[\\] for a text without entities"),
        (["Eve", " "], [[(0, 3, "PER")], []], "text 1 is without words"),
    ],
)
def test_spans_that_cannot_be_learned_are_refused_with_their_text(mapper, texts, labels, message):
    with pytest.raises(ValueError, match=message):
        mapper.adapt(texts, labels, task_type="ner")


def test_strings_and_words_are_not_predicted_together(mapping):
    with pytest.raises(ValueError, match=r"text 1 is .* give all texts as strings, or all as lists"):
        mapping.predict(["Eve", ["Bob"]])
