"""What a task says about its own data: explanations, errors, suggestions and cross-validation."""

import pytest

from tests.adaptation.toy_task import LABELS, MORE, MORE_LABELS, NEW, TAGS, TEXTS, WORDS


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


def test_the_label_of_a_word_is_explained_by_the_words_of_the_examples(mapper):
    mapping = mapper.adapt(WORDS, TAGS, task_type="ner")
    for word in range(len(WORDS[0])):
        every = mapping.explain(WORDS[0], word=word, num_examples=100)
        assert (every[0].text, every[0].index, every[0].word) == (WORDS[0][word], 0, word)
        total = every.prior + sum(neighbour.weight for neighbour in every)
        assert total == pytest.approx(every.score, abs=1e-3)


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
