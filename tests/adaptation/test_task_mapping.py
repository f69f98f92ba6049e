"""Mapping: adding and removing examples, explaining predictions, and reading while another thread writes."""

import threading
import time

import numpy as np
import pytest

from metamapping import MetaMapper
from tests.adaptation.test_mapper import LABELS, TEXTS

MORE = ["the weather in london", "lovely in june", "the lamp is broken"]
MORE_LABELS = ["weather", "weather", "refund"]
NEW = ["where is the order", "my money", "june in london"]
WORDS = [["anna", "lives", "in", "paris"], ["bob", "works", "in", "rome"]]
TAGS = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O", "O", "O"]]


@pytest.fixture(scope="module")
def mapper(published):
    return MetaMapper.from_pretrained(published)


@pytest.fixture
def mapping(mapper):
    return mapper.adapt(TEXTS, LABELS)


def assert_same(mapping, other, texts=NEW):
    assert mapping.labels == other.labels
    assert mapping.num_examples == other.num_examples
    for probabilities, expected in zip(mapping.predict_proba(texts), other.predict_proba(texts), strict=True):
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_adding_examples_equals_adapting_to_all_of_them_at_once(mapper, mapping):
    mapping.add(MORE, MORE_LABELS)
    assert_same(mapping, mapper.adapt(TEXTS + MORE, LABELS + MORE_LABELS))


def test_adding_encodes_only_the_new_texts(mapper, mapping, monkeypatch):
    encoded = []
    encode = mapper.featurizer.texts
    monkeypatch.setattr(
        mapper.featurizer, "texts", lambda texts, pairs: encoded.extend(texts) or encode(texts, pairs)
    )
    mapping.add(MORE, MORE_LABELS)
    assert encoded == MORE


def test_a_label_can_be_named_when_it_is_added(mapper, mapping):
    names = {"w": "weather", "refund": "money back"}
    mapping.add(MORE, ["w", "w", "refund"], label_names=names)
    assert_same(mapping, mapper.adapt(TEXTS + MORE, [*LABELS, "w", "w", "refund"], label_names=names))


def test_removing_examples_equals_adapting_without_them(mapper, mapping):
    mapping.add(MORE, MORE_LABELS)
    mapping.remove(np.array([0, 6]))
    assert_same(mapping, mapper.adapt(TEXTS[1:] + MORE[:-1], LABELS[1:] + MORE_LABELS[:-1]))


def test_removing_a_label_removes_its_examples(mapper, mapping):
    mapping.add(MORE, MORE_LABELS)
    mapping.remove(label="delivery")
    assert_same(
        mapping,
        mapper.adapt([*TEXTS[2:], MORE[2], *MORE[:2]], ["refund"] * 3 + ["weather"] * 2),
    )


def test_a_label_without_examples_is_still_known_by_its_name(mapper, mapping):
    mapping.add(MORE[:1], ["weather"])
    mapping.remove([4])
    zero_shot = mapper.zero_shot(["delivery", "refund", "weather"])
    zero_shot.add(TEXTS, LABELS)
    assert_same(mapping, zero_shot)


def test_ner_types_can_be_added_and_removed(mapper):
    mapping = mapper.adapt(WORDS[:1], TAGS[:1], task_type="ner")
    mapping.add(WORDS[1:], [["B-PER", "O", "O", "B-CITY"]])
    assert mapping.labels == ("O", "PER", "LOC", "CITY")
    mapping.remove(label="CITY")
    assert_same(mapping, mapper.adapt(WORDS, TAGS, task_type="ner"), WORDS)


def test_a_prediction_is_explained_by_the_most_similar_examples(mapping):
    explanation = mapping.explain("where is my parcel", num_examples=2)
    assert explanation.label == "delivery"
    assert len(explanation) == 2
    nearest = explanation[0]
    assert (nearest.text, nearest.label, nearest.index) == ("where is my parcel", "delivery", 0)
    assert nearest.similarity == pytest.approx(1, abs=1e-4)
    assert nearest.weight > 0


@pytest.mark.parametrize("text", NEW)
def test_the_weights_of_all_examples_and_the_prior_add_up_to_the_score(mapping, text):
    mapping.add(MORE, MORE_LABELS)
    explanation = mapping.explain(text, num_examples=mapping.num_examples)
    assert explanation.label == mapping.predict([text])[0]
    total = explanation.prior + sum(neighbour.weight for neighbour in explanation)
    assert total == pytest.approx(explanation.score, abs=1e-4)


def test_readers_see_one_state_or_the_other_while_a_writer_adds(mapper, mapping):
    before = mapping.predict_proba(NEW)
    after = mapper.adapt(TEXTS + MORE, LABELS + MORE_LABELS).predict_proba(NEW)
    seen, faults, done = [[] for _ in range(4)], [], threading.Event()

    def read(mine):
        try:
            while not done.is_set():
                mine.append(mapping.predict_proba(NEW))
        except Exception as error:
            faults.append(error)

    def let_all_read():
        """Until each reader has begun a reading after this call, and ended it: the second one from here."""
        enough = [len(mine) + 2 for mine in seen]
        while not faults and any(len(mine) < count for mine, count in zip(seen, enough, strict=True)):
            time.sleep(0.001)

    readers = [threading.Thread(target=read, args=(mine,)) for mine in seen]
    for reader in readers:
        reader.start()
    try:
        let_all_read()
        for _ in range(10):
            mapping.add(MORE, MORE_LABELS)
            let_all_read()
            mapping.remove(label="weather")
            mapping.remove([4])
        mapping.add(MORE, MORE_LABELS)
        let_all_read()
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert not faults
    np.testing.assert_allclose(mapping.predict_proba(NEW), after, atol=1e-5)
    for mine in seen:
        assert {probabilities.shape for probabilities in mine} == {(3, 2), (3, 3)}
        full = [probabilities for probabilities in mine if probabilities.shape == after.shape]
        assert all(np.allclose(each, after, atol=1e-5) for each in full)
        assert any(np.allclose(each, before, atol=1e-5) for each in mine if each.shape == before.shape)


def test_concurrent_writers_lose_no_examples(mapping):
    writers = [
        threading.Thread(target=lambda: [mapping.add(TEXTS, LABELS) for _ in range(5)]) for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert mapping.num_examples == 4 + 4 * 5 * 4


def test_unknown_examples_and_labels_cannot_be_removed(mapping):
    with pytest.raises(ValueError, match="there is no example 4: the task has 4"):
        mapping.remove([0, 4])
    with pytest.raises(ValueError, match="there is no label 'refunds' to remove; labels: delivery, refund"):
        mapping.remove(label="refunds")
    with pytest.raises(ValueError, match=r"only one label \(refund\)"):
        mapping.remove(label="delivery")
    with pytest.raises(ValueError, match="either indices or a label"):
        mapping.remove()
    assert mapping.num_examples == 4


def test_single_texts_and_pairs_cannot_be_mixed(mapper, mapping):
    with pytest.raises(ValueError, match="no second text, but text_pairs are given"):
        mapping.predict(NEW, text_pairs=NEW)
    pairs = mapper.adapt(TEXTS, LABELS, text_pairs=TEXTS)
    with pytest.raises(ValueError, match="are pairs of texts: give text_pairs"):
        pairs.predict(NEW)
    with pytest.raises(ValueError, match="are pairs of texts: give text_pairs"):
        pairs.add(MORE, MORE_LABELS)
    assert pairs.explain("x", text_pair="y")[0].text_pair in TEXTS


def test_the_label_of_a_word_is_explained_by_the_words_of_the_examples(mapper):
    mapping = mapper.adapt(WORDS, TAGS, task_type="ner")
    for word in range(len(WORDS[0])):
        every = mapping.explain(WORDS[0], word=word, num_examples=100)
        assert (every[0].text, every[0].index, every[0].word) == (WORDS[0][word], 0, word)
        total = every.prior + sum(neighbour.weight for neighbour in every)
        assert total == pytest.approx(every.score, abs=1e-3)


def test_any_label_can_be_explained(mapper, mapping):
    for label in mapping.labels:
        explanation = mapping.explain(TEXTS[0], num_examples=100, label=label)
        assert explanation.label == label
        assert explanation.score == pytest.approx(
            explanation.prior + sum(n.weight for n in explanation), abs=1e-4
        )
    with pytest.raises(ValueError, match="no label 'x' to explain; labels: "):
        mapping.explain(TEXTS[0], label="x")
    ner = mapper.adapt(WORDS, TAGS, task_type="ner")
    assert ner.explain(" ".join(WORDS[0]), word=0, label="O").label == "O"


def test_a_word_to_explain_must_exist(mapper, mapping):
    ner = mapper.adapt(WORDS, TAGS, task_type="ner")
    with pytest.raises(ValueError, match="no word is chosen: for ner one word"):
        ner.explain(["anna", "lives", "in", "rome"])
    with pytest.raises(ValueError, match="there is no word 4"):
        ner.explain(["anna", "lives", "in", "rome"], word=4)
    with pytest.raises(ValueError, match="word is for ner tasks"):
        mapping.explain(TEXTS[0], word=0)


def test_errors_are_the_texts_with_another_label_the_surest_first(mapper, mapping):
    texts = [*TEXTS, *NEW, ""]
    predicted = mapping.predict(texts)
    wrong = {"delivery": "refund", "refund": "delivery", None: "refund"}
    labels = [wrong[label] if i % 2 else label or "refund" for i, label in enumerate(predicted)]
    errors = mapping.errors(texts, labels)
    expected = [i for i, label in enumerate(labels) if label != predicted[i]]
    assert sorted(error.index for error in errors) == expected
    probabilities = [error.probability for error in errors]
    assert probabilities == sorted(probabilities, reverse=True)
    for error in errors:
        assert (error.text, error.label) == (texts[error.index], labels[error.index])
        assert error.predicted == predicted[error.index]
        if error.text:
            assert error.explanation.label == error.predicted
            assert error.explanation[0].text == mapping.explain(error.text)[0].text
        else:
            assert error.explanation is None
    assert mapping.errors(TEXTS, mapping.predict(TEXTS)) == []
    assert [error.label for error in mapping.errors(TEXTS[:1], ["unknown"])] == ["unknown"]


def test_errors_of_ner_are_sentences_with_a_wrong_entity(mapper):
    mapping = mapper.adapt(WORDS, TAGS, task_type="ner")
    predicted = mapping.predict(WORDS)
    gold = [list(tags) for tags in predicted]
    gold[0] = ["B-LOC" if tag == "O" else "O" for tag in gold[0]]
    (error,) = mapping.errors(WORDS, gold)
    assert (error.index, error.label, error.predicted) == (0, gold[0], predicted[0])
    assert error.explanation[0].word is not None
    assert error.probability == pytest.approx(mapping.predict_proba(WORDS[:1])[0][error.word].max())


def test_suggestions_are_texts_of_the_pool_with_their_predictions(mapper, mapping):
    pool = [*NEW, "", "the lamp is broken", TEXTS[0]]
    for task in (mapping, mapper.zero_shot(["delivery", "refund"])):
        suggestions = task.suggest(pool, num=3)
        assert len({each.index for each in suggestions}) == 3
        assert "" not in [each.text for each in suggestions]
        for each in suggestions:
            assert each.text == pool[each.index]
            assert each.label == task.predict([each.text])[0]
            assert each.probability == pytest.approx(task.predict_proba([each.text]).max(), abs=1e-5)
        assert suggestions[0].gain == 1.0
    assert sorted(each.index for each in mapping.suggest(pool)) == [0, 1, 2, 4]  # the last is an example
    assert mapping.suggest([]) == []
    with pytest.raises(ValueError, match="num is 0"):
        mapping.suggest(pool, num=0)


def test_cross_validation_predicts_each_example_as_the_task_without_it_does(mapper, mapping):
    mapping.add(MORE, MORE_LABELS)
    texts, labels = TEXTS + MORE, LABELS + MORE_LABELS
    result = mapping.cross_validate()
    for i, text in enumerate(texts):
        without = mapper.adapt(texts, labels)
        without.remove([i])
        assert result.predictions[i] == without.predict([text])[0]


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
