"""MetaMapper: the public interface, from examples to predictions."""

import numpy as np
import pytest

from tests.adaptation.toy_task import LABELS, TEXTS


@pytest.fixture(scope="module")
def mapping(mapper):
    return mapper.adapt(TEXTS, LABELS)


def test_the_examples_themselves_are_predicted_correctly(mapping):
    assert mapping.predict(TEXTS) == LABELS


def test_probabilities_are_float32_rows_that_sum_to_one_in_the_order_of_labels(mapping):
    probabilities = mapping.predict_proba(TEXTS)
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (4, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert [mapping.labels[i] for i in probabilities.argmax(axis=1)] == mapping.predict(TEXTS)


def test_the_order_of_examples_changes_only_the_order_of_columns(mapper, mapping):
    reversed_task = mapper.adapt(TEXTS[::-1], LABELS[::-1])
    assert reversed_task.labels == ("refund", "delivery")
    new = ["where is the order", "my money"]
    np.testing.assert_allclose(
        reversed_task.predict_proba(new)[:, ::-1], mapping.predict_proba(new), atol=1e-4
    )


def test_a_text_has_the_same_probabilities_alone_and_among_others(mapping):
    alone = mapping.predict_proba(["the order"])
    among = mapping.predict_proba(["the order", "a much longer text about a parcel and a refund"])
    np.testing.assert_allclose(alone[0], among[0], atol=1e-5)


def test_zero_shot_needs_only_label_names(mapper):
    mapping = mapper.zero_shot(["billing", "delivery"])
    assert mapping.labels == ("billing", "delivery")
    assert set(mapping.predict(TEXTS)) <= {"billing", "delivery"}


def test_label_names_tell_the_encoder_what_a_label_means(mapper):
    plain = mapper.zero_shot(["A", "B"]).predict_proba(TEXTS)
    named = mapper.zero_shot(["A", "B"], label_names={"A": "delivery", "B": "refund"}).predict_proba(TEXTS)
    meant = mapper.zero_shot(["delivery", "refund"]).predict_proba(TEXTS)
    np.testing.assert_allclose(named, meant, atol=1e-6)
    assert not np.allclose(plain, named)


def test_numeric_labels_can_be_named_by_number(mapper):
    numbered = mapper.adapt(TEXTS, [0, 0, 1, 1], label_names={0: "delivery", 1: "refund"})
    assert numbered.labels == (0, 1)
    np.testing.assert_allclose(
        numbered.predict_proba(TEXTS), mapper.adapt(TEXTS, LABELS).predict_proba(TEXTS), atol=1e-6
    )
    with pytest.raises(ValueError, match="label_names has 3 for '1': expected its readable words"):
        mapper.adapt(TEXTS, [0, 0, 1, 1], label_names={1: 3})


def test_pairs_are_read_together(mapper):
    mapping = mapper.adapt(
        ["anna lives in paris", "anna lives in paris"],
        ["yes", "no"],
        text_pairs=["anna lives in paris", "bob works in rome"],
    )
    firsts = ["anna lives in paris"] * 2
    assert mapping.predict(firsts, text_pairs=["anna lives in paris", "bob works in rome"]) == ["yes", "no"]


def test_ner_predicts_one_bio_tag_per_word(mapper):
    words = [["anna", "lives", "in", "paris"], ["bob", "works", "in", "rome"]]
    tags = [["B-PER", "O", "O", "B-LOC"], ["B-PER", "O", "O", "B-LOC"]]
    label_names = {"PER": "person", "LOC": "place"}
    # Repeated, because two sentences are too few for an untrained encoder.
    mapping = mapper.adapt(words * 3, tags * 3, task_type="ner", label_names=label_names)
    assert mapping.labels == ("O", "PER", "LOC")
    assert mapping.predict(words) == tags
    assert [p.shape for p in mapping.predict_proba([["bob"], []])] == [(1, 3), (0, 3)]


def test_ner_tags_every_word_of_a_text_longer_than_the_encoder_reads(mapper):
    words = [["anna", "lives", "in", "paris"]]
    mapping = mapper.adapt(words, [["B-PER", "O", "O", "B-LOC"]], task_type="ner")
    long = ["anna", "lives", "in", "paris"] * 20
    (tags,) = mapping.predict([long], threshold=0.0)
    assert len(tags) == 80
    assert tags[40:].count("O") < 40


def test_no_texts_give_no_labels(mapping):
    assert mapping.predict([]) == []
    assert mapping.predict_proba([]).shape == (0, 2)


@pytest.mark.parametrize("text", ["🙂", "ﷺ مرحبا", "word " * 5_000, "\ud83d"])
def test_every_text_gets_a_label(mapping, text):
    assert mapping.predict([text])[0] in ("delivery", "refund")


def test_identical_texts_with_different_labels_have_equal_probabilities(mapper):
    mapping = mapper.adapt(["same", "same"], ["x", "y"], label_names={"x": "thing", "y": "thing"})
    np.testing.assert_allclose(mapping.predict_proba(["same"]), 0.5, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], ["x", "y"]), "1 texts but 2 labels"),
        (([], []), r"no examples: give a few, or use zero_shot"),
        ((["a", "b"], ["x", "x"]), r"only one label \(x\)"),
        ((["a", 3], ["x", "y"]), "text 1 is 3: expected a string"),
        (([["a"], ["b"]], ["x", "y"]), "lists of words are for ner"),
    ],
)
def test_examples_that_cannot_be_learned_from_are_rejected(mapper, arguments, message):
    with pytest.raises(ValueError, match=message):
        mapper.adapt(*arguments)


def test_named_entities_without_an_entity_are_refused_with_that_reason(mapper):
    with pytest.raises(ValueError, match="no example has an entity, so that there is no type"):
        mapper.adapt([["nothing", "here"]], [["O", "O"]], task_type="ner")


def test_unknown_task_types_and_labels_are_rejected_by_name(mapper):
    with pytest.raises(ValueError, match="'nerr' is not one of ner, sentiment-analysis"):
        mapper.adapt(TEXTS, LABELS, task_type="nerr")
    with pytest.raises(ValueError, match="'refunds', which is not a label of the task; labels: deliver"):
        mapper.adapt(TEXTS, LABELS, label_names={"refunds": "money back"})


def test_a_label_for_each_example_is_doubted(mapper):
    texts = [f"text {i}" for i in range(30)]
    with pytest.warns(UserWarning, match=r"30 labels in 30 rows: is this the label column\?"):
        mapper.adapt(texts, [f"T-{i}" for i in range(30)])


def test_ner_examples_need_one_valid_tag_per_word(mapper):
    with pytest.raises(ValueError, match="text 0 has 2 words"):
        mapper.adapt([["a", "b"]], [["O"]], task_type="ner")
    with pytest.raises(ValueError, match="text 0 has the tag 'o': outside of entities is written 'O'"):
        mapper.adapt([["a", "b"]], [["PER", "o"]], task_type="ner")
    with pytest.raises(ValueError, match=r"text 0 has the tag 'PER'.*nearest scheme is BIO, with 'B-PER'"):
        mapper.adapt([["a", "b"]], [["PER", "B-LOC"]], task_type="ner")
