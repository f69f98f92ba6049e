"""What a task predicts: confidence, thresholds, and all of it in one call."""

import numpy as np
import pytest

from tests.adaptation.toy_task import NEW, TAGS, TEXTS, WORDS


def test_a_text_gets_no_label_if_its_confidence_is_below_the_threshold(mapping):
    texts = [*TEXTS, *NEW, "zzz", "🙂"]
    confidence = mapping.confidence(texts)
    assert confidence.dtype == np.float32
    assert confidence.min() >= 0
    assert (confidence <= mapping.predict_proba(texts).max(axis=1) + 1e-6).all()
    labels = mapping.predict(texts)
    assert mapping.predict(texts, threshold=0) == labels
    middle = float(np.median(confidence))
    expected = [label if sure >= middle else None for label, sure in zip(labels, confidence, strict=True)]
    assert mapping.predict(texts, threshold=middle) == expected
    assert None in expected


def test_the_examples_have_higher_confidence_than_unrelated_texts(mapping):
    own = mapping.confidence(TEXTS).min()
    assert (mapping.confidence(["anna lives in paris", "bob works in rome"]) < own).all()


def test_zero_shot_confidence_is_the_probability_of_the_label(mapper):
    mapping = mapper.zero_shot(["delivery", "refund"])
    np.testing.assert_allclose(mapping.confidence(NEW), mapping.predict_proba(NEW).max(axis=1))


def test_words_below_the_threshold_are_outside(mapper):
    mapping = mapper.adapt(
        WORDS * 4, TAGS * 4, task_type="ner"
    )  # enough of each type to outweigh the entity penalty
    assert mapping.predict(WORDS, threshold=0) == mapping.predict(WORDS) == TAGS
    assert mapping.predict([*WORDS, []], threshold=1) == [["O"] * 4, ["O"] * 4, []]
    with pytest.raises(ValueError, match="ner has one label for each word"):
        mapping.confidence(WORDS)


def test_no_texts_have_no_confidence(mapping):
    assert mapping.confidence([]).shape == (0,)
    assert mapping.predict([], threshold=0.5) == []


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_must_be_a_probability(mapping, threshold):
    with pytest.raises(ValueError, match="expected a probability"):
        mapping.predict(NEW, threshold=threshold)


def test_answers_equal_the_results_of_the_single_calls(mapping):
    answers = mapping.answer(TEXTS, threshold=0.5)
    assert answers.labels == mapping.predict(TEXTS, threshold=0.5)
    np.testing.assert_allclose(answers.probabilities, mapping.predict_proba(TEXTS), rtol=1e-5)
    np.testing.assert_allclose(answers.confidence, mapping.confidence(TEXTS), rtol=1e-5)
    assert mapping.answer([]).labels == []


def test_answers_are_for_texts_only(mapper):
    with pytest.raises(ValueError, match="answer is about the label of a text"):
        mapper.zero_shot(["person"], task_type="ner").answer([["anna"]])
