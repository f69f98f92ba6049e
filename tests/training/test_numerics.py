"""For any texts and labels, every solver gives valid probabilities, or an error in one sentence."""

from typing import get_args

import numpy as np
import pytest

from metamapping import Mapping
from metamapping.config.training import SolverName
from tests.toy_published import mapper_with_solver

TEXTS = ["where is my parcel", "i want my money back"]
LABELS = ["delivery", "refund"]
ODD = [
    "",
    " \t\n",
    "\0",
    "🙂👩‍👩‍👧‍👦🏳️‍🌈",
    "أين طردي",
    "איפה החבילה שלי",
    "where هو my חבילה 包裹",
    "\u202eparcel\u202c",
    "e\u0301" * 50,
    "\ud83d alone",
    "a" * 20_000,
    "word " * 100_000,
]
NUM_EMPTY = 3  # nothing is left of the first texts after cleaning
WORDS = [["anna", "lives", "in", "paris"]]
TAGS = [["B-PER", "O", "O", "B-LOC"]]


@pytest.fixture(scope="module", params=get_args(SolverName))
def mapper(request, published):
    return mapper_with_solver(published, request.param)


def assert_probabilities(probabilities, num_rows, num_labels):
    assert probabilities.shape == (num_rows, num_labels)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)


def test_the_same_text_under_two_labels_favours_neither(mapper):
    same = ["where is my parcel"] * 4
    mapping, other = (mapper.adapt(same, labels) for labels in (["a", "b"] * 2, ["b", "a"] * 2))
    probabilities = mapping.predict_proba([*TEXTS, "where is my parcel"])
    assert_probabilities(probabilities, 3, 2)
    swapped = other.predict_proba([*TEXTS, "where is my parcel"])[:, ::-1]
    np.testing.assert_allclose(probabilities, swapped, atol=1e-3)


def test_a_text_given_a_hundred_times_becomes_more_probable_for_its_label(mapper):
    mapping = mapper.adapt(["where is my parcel"] * 100 + TEXTS[1:], ["delivery"] * 100 + LABELS[1:])
    assert_probabilities(mapping.predict_proba(TEXTS), 2, 2)
    # The encoder is untrained, so the names may outweigh the examples, but the examples must have an effect.
    named = mapper.zero_shot(LABELS).predict_proba(TEXTS[:1])
    assert mapping.predict_proba(TEXTS[:1])[0, 0] > named[0, 0]


def test_one_example_is_enough_for_a_task_of_two_labels(mapper):
    mapping = mapper.zero_shot(LABELS)
    mapping.add(TEXTS[:1], LABELS[:1])
    assert_probabilities(mapping.predict_proba([*TEXTS, ""]), 3, 2)
    assert 0 <= mapping.confidence(TEXTS)[0] <= 1


def test_a_task_of_one_label_is_rejected(mapper):
    with pytest.raises(ValueError, match=r"only one label \(a\): a task needs at least two"):
        mapper.adapt(["x"], ["a"])
    with pytest.raises(ValueError, match=r"only one label \(a\)"):
        mapper.zero_shot(["a"])


def test_a_thousand_labels_with_one_example_each(mapper):
    labels = [f"label {i}" for i in range(1_000)]
    mapping = mapper.adapt([f"text {i} of many" for i in range(1_000)], labels)
    assert_probabilities(mapping.predict_proba([*TEXTS, ""]), 3, 1_000)
    assert set(mapping.predict(TEXTS)) <= set(labels)


def test_labels_of_the_same_words_have_valid_probabilities(mapper):
    mapping = mapper.adapt(TEXTS, ["a_b", "a b"])
    assert_probabilities(mapping.predict_proba([*TEXTS, ""]), 3, 2)


def test_unusual_texts_have_valid_probabilities(mapper):
    mapping = mapper.adapt(TEXTS, LABELS)
    assert_probabilities(mapping.predict_proba(ODD), len(ODD), 2)
    confidence = mapping.confidence(ODD)
    assert np.isfinite(confidence).all()
    assert ((confidence >= 0) & (confidence <= 1)).all()


def test_unusual_texts_can_be_examples_and_labels(mapper):
    odd = ODD[NUM_EMPTY:]
    labels = [
        "🙂",
        "أين",
        "\0",
        "\ud83d",
        "x" * 5_000,
        "where هو",
        *(f"label {i}" for i in range(len(odd) - 6)),
    ]
    with pytest.raises(ValueError, match="texts 0, 1, 2 are empty after cleaning"):
        mapper.adapt(ODD, [*labels, *labels[:NUM_EMPTY]])
    mapping = mapper.adapt(odd, labels)
    assert_probabilities(mapping.predict_proba([*TEXTS, *ODD[:4]]), 6, len(labels))
    mapping.add(odd[:2], [mapping.labels[0]] * 2)
    mapping.remove([0, 1, 2])
    mapping.remove(label=mapping.labels[-1])
    assert_probabilities(mapping.predict_proba(TEXTS), 2, len(labels) - 1)


def test_a_task_without_its_examples_predicts_as_zero_shot(mapper):
    mapping = mapper.adapt(TEXTS, LABELS)
    mapping.remove([0, 1])
    assert mapping.num_examples == 0
    np.testing.assert_allclose(
        mapping.predict_proba(TEXTS), mapper.zero_shot(LABELS).predict_proba(TEXTS), atol=1e-6
    )


def test_no_texts_give_no_rows(mapper):
    mapping = mapper.adapt(TEXTS, LABELS)
    assert mapping.predict([]) == []
    assert mapping.predict_proba([]).shape == (0, 2)
    assert mapping.confidence([]).shape == (0,)


def test_sentences_of_any_length_have_one_tag_for_each_word(mapper):
    mapping = mapper.adapt(WORDS, TAGS, task_type="ner")
    sentences = [[], ["", " ", "🙂", "أين", "\0"], ["word"] * 300]
    for sentence, rows in zip(sentences, mapping.predict_proba(sentences), strict=True):
        assert_probabilities(rows, len(sentence), 3)
    assert [len(tags) for tags in mapping.predict(sentences)] == [0, 5, 300]


def test_sentences_with_nothing_to_learn_can_be_examples(mapper):
    words = [*WORDS, ["", "\0"], ["same"] * 50]
    tags = [*TAGS, ["O", "B-LOC"], ["O", "B-LOC"] * 25]
    with pytest.raises(ValueError, match="text 1 is without words"):
        mapper.adapt([WORDS[0], []], [TAGS[0], []], task_type="ner")
    mapping = mapper.adapt(words, tags, task_type="ner")
    for sentence, rows in zip(words, mapping.predict_proba(words), strict=True):
        assert_probabilities(rows, len(sentence), 3)
    mapping.remove([0])
    assert len(mapping.predict([["anna"]])[0]) == 1


def test_a_task_of_unusual_texts_is_saved_and_loaded(mapper, tmp_path):
    odd = ODD[NUM_EMPTY:]
    mapping = mapper.adapt(odd, [str(i % 3) for i in range(len(odd))])
    loaded = Mapping.load(mapping.save(tmp_path / "task"), mapper)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), mapping.predict_proba(TEXTS))
