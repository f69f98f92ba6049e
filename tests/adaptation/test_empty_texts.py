"""Empty texts: none is learned, and none gets a label."""

import numpy as np
import pytest

TEXTS = ["where is my parcel", "the delivery is late", "i want my money back"]
LABELS = ["delivery", "delivery", "refund"]
EMPTY = ["", "   ", " \n\t", "<br>"]  # the last is empty after cleaning


@pytest.fixture(scope="module")
def mapping(mapper):
    return mapper.adapt(TEXTS, LABELS)


@pytest.mark.parametrize("text", EMPTY)
def test_no_empty_text_is_learned(mapper, text):
    message = "text 3 is empty.*: drop the row or give it a text"
    with pytest.raises(ValueError, match=message):
        mapper.adapt([*TEXTS, text], [*LABELS, "refund"])
    mapping = mapper.adapt(TEXTS, LABELS)
    with pytest.raises(ValueError, match=message):
        mapping.add([*TEXTS, text], [*LABELS, "new"])
    assert (mapping.labels, mapping.num_examples) == (("delivery", "refund"), 3)


def test_all_positions_are_named(mapper):
    with pytest.raises(ValueError, match="texts 0, 2 are empty: drop the rows or give them texts"):
        mapper.adapt(["", TEXTS[0], " ", TEXTS[2]], ["a", "b", "a", "b"])
    with pytest.raises(ValueError, match="text_pair 1 is empty: drop the row or give it a text"):
        mapper.adapt(TEXTS[:2], ["a", "b"], text_pairs=["x", ""])
    with pytest.raises(ValueError, match="text 1 is without words: drop the row or give it a text"):
        mapper.adapt([["anna"], []], [["B-PER"], []], task_type="ner")


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_text_gets_no_label(mapping, text):
    texts = [TEXTS[0], text, TEXTS[2]]
    first, last = mapping.predict([TEXTS[0], TEXTS[2]])
    for threshold in (None, 0.0):
        assert mapping.predict(texts, threshold=threshold) == [first, None, last]
    shares = np.array([3 / 5, 2 / 5], np.float32)  # two examples and one, with one added to each
    probabilities, confidence = mapping.predict_proba(texts), mapping.confidence(texts)
    np.testing.assert_array_equal(probabilities[1], shares)
    assert confidence[1] == 0
    assert (confidence[[0, 2]] > 0).all()
    answers = mapping.answer(texts)
    assert answers.labels == [first, None, last]
    np.testing.assert_array_equal(answers.probabilities, probabilities)
    np.testing.assert_array_equal(answers.confidence, confidence)
    with pytest.raises(ValueError, match="the text is empty"):
        mapping.explain(text)


def test_zero_shot_labels_are_equally_probable_for_an_empty_text(mapper):
    mapping = mapper.zero_shot(["a", "b", "c", "d"])
    assert mapping.predict([""]) == [None]
    assert mapping.predict_proba([""]).tolist() == [[0.25] * 4]


def test_a_pair_with_an_empty_text_gets_no_label(mapper):
    mapping = mapper.adapt(TEXTS, LABELS, text_pairs=TEXTS)
    pairs = {"text_pairs": ["", TEXTS[1], TEXTS[0]]}
    assert mapping.predict([TEXTS[0], " ", TEXTS[0]], **pairs)[:2] == [None, None]
    assert mapping.predict([TEXTS[0], " ", TEXTS[0]], **pairs)[2] in LABELS


def test_no_words_get_no_tags(mapper):
    mapping = mapper.adapt([["anna", "lives"]], [["B-PER", "O"]], task_type="ner")
    assert mapping.predict([[], ["anna"]]) == [[], ["B-PER"]]
