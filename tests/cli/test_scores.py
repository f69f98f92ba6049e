"""Scores agree with scikit-learn and conlleval, and their intervals with the bootstrap."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from metamapping.adaptation.entity_scores import entity_f1, entity_spans
from metamapping.cli.scores import entity_scores, text_scores
from metamapping.rounds.intervals import bootstrap_mean

RNG = np.random.default_rng(0)
GOLD = RNG.choice(list("abcd"), 200, p=[0.6, 0.2, 0.15, 0.05]).tolist()
PREDICTED = [g if RNG.random() < 0.7 else str(RNG.choice(list("abce"))) for g in GOLD]


def test_accuracy_and_macro_f1_are_those_of_scikit_learn():
    scores = text_scores(GOLD, PREDICTED)
    assert scores.num_rows == 200
    assert scores.scores["accuracy"].mean == pytest.approx(accuracy_score(GOLD, PREDICTED))
    assert scores.scores["macro-F1"].mean == pytest.approx(f1_score(GOLD, PREDICTED, average="macro"))


def test_scores_of_labels_are_those_of_scikit_learn():
    labels = text_scores(GOLD, PREDICTED).labels
    expected = precision_recall_fscore_support(GOLD, PREDICTED, zero_division=0)
    assert [each.label for each in labels] == list("abcde")
    found = np.transpose([(each.precision, each.recall, each.f1, each.count) for each in labels])
    np.testing.assert_allclose(found, expected)


def test_the_interval_of_accuracy_is_that_of_the_bootstrap():
    right = np.array(GOLD) == np.array(PREDICTED)
    expected = bootstrap_mean([[right.astype(float)]])
    found = text_scores(GOLD, PREDICTED).scores["accuracy"]
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_the_interval_of_macro_f1_is_that_of_resampled_rows():
    found = text_scores(GOLD, PREDICTED).scores["macro-F1"]
    rng, gold, predicted = np.random.default_rng(1), np.array(GOLD), np.array(PREDICTED)
    drawn = [rng.integers(200, size=200) for _ in range(500)]
    low, high = np.quantile([f1_score(gold[i], predicted[i], average="macro") for i in drawn], [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


def test_a_missing_prediction_is_wrong_but_no_false_positive():
    scores = text_scores(["a", "a", "b"], ["a", None, "b"])
    assert scores.scores["accuracy"].mean == pytest.approx(2 / 3)
    assert [each.precision for each in scores.labels] == [1, 1]
    assert [each.recall for each in scores.labels] == [0.5, 1]


def test_entities_are_correct_if_both_ends_and_the_type_are():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC"], ["O"]]
    predicted = [["B-PER", "O", "O", "B-LOC"], ["O", "B-PER"], ["O"]]
    scores = entity_scores(gold, predicted)
    spans = [set().union(*(entity_spans(i, row) for i, row in enumerate(rows))) for rows in (gold, predicted)]
    assert scores.scores["entity F1"].mean == pytest.approx(entity_f1(*spans)) == pytest.approx(1 / 3)
    assert [(each.label, each.recall, each.count) for each in scores.labels] == [
        ("LOC", 0.5, 2),
        ("PER", 0, 1),
    ]


def test_rows_without_entities_are_correct():
    assert entity_scores([["O"]], [["O"]]).scores["entity F1"].mean == 1


def test_an_empty_evaluation_is_an_error():
    with pytest.raises(ValueError, match="no rows to evaluate"):
        text_scores([], [])
