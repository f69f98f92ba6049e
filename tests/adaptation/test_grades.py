"""Grades: what is predicted costs least by its distance from the true one, and is judged by it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

from metamapping import Mapping
from metamapping.adaptation.grades import (
    ANY_ERROR,
    best_grades,
    fit_grade_cuts,
    read_grades,
    share_of_cuts,
)
from metamapping.adaptation.scores import text_scores
from metamapping.config.labels import unused_grades
from metamapping.sklearn import MetaMappingClassifier

GRADES = ["bad", "ok", "good"]
TEXTS = [
    "the lamp is broken and nobody answers",
    "the delivery is late again",
    "it has arrived",
    "the order works",
    "the weather was lovely",
    "lovely i love my parcel",
]
LABELS = ["bad", "bad", "ok", "ok", "good", "good"]


def test_the_grade_between_extremes_that_are_equally_probable_is_predicted():
    probabilities = np.array([[0.36, 0.29, 0.35], [0.6, 0.0, 0.4], [0.1, 0.2, 0.7], [0.0, 0.0, 1.0]])
    assert best_grades(probabilities).tolist() == [1, 0, 2, 2]
    assert probabilities.argmax(axis=1).tolist() == [0, 0, 2, 2]


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=7))
def test_no_grade_is_expected_to_cost_less(weights):
    p = np.array(weights) / sum(weights)
    grades = np.arange(len(p))
    expected = [(p * np.abs(grades - grade)).sum() + ANY_ERROR * (1 - p[grade]) for grade in grades]
    assert expected[best_grades(p[None])[0]] <= min(expected) + 1e-9


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    gold, predicted = rng.integers(0, 3, 60), rng.integers(0, 3, 60)
    scores = text_scores([GRADES[i] for i in gold], [GRADES[i] for i in predicted], order=GRADES).scores
    assert list(scores) == ["accuracy", "macro-F1", "MAE", "quadratic kappa"]
    assert scores["MAE"].mean == pytest.approx(mean_absolute_error(gold, predicted))
    assert scores["quadratic kappa"].mean == pytest.approx(
        cohen_kappa_score(gold, predicted, weights="quadratic")
    )
    assert scores["MAE"].low < scores["MAE"].mean < scores["MAE"].high


def test_a_row_without_prediction_counts_as_the_worst_grade_for_it():
    scores = text_scores(["bad", "good", "ok"], [None, None, "ok"], order=GRADES).scores
    assert scores["MAE"].mean == pytest.approx(4 / 3)
    outside = text_scores(["bad", "oos"], ["bad", "oos"], order=GRADES).scores
    assert outside["MAE"].mean == 0
    one = text_scores(["bad", "bad"], ["bad", "bad"], order=GRADES).scores
    assert one["quadratic kappa"].mean == 1


def test_a_task_of_grades_has_its_labels_in_their_order(mapper, tmp_path):
    mapping = mapper.adapt(TEXTS[::-1], LABELS[::-1], ordinal=GRADES)
    assert (mapping.labels, mapping.is_ordinal) == (tuple(GRADES), True)
    expected = [GRADES[slot] for slot in best_grades(mapping.predict_proba(TEXTS))]
    assert mapping.predict(TEXTS) == mapping.answer(TEXTS).labels == expected
    wrong = {i for i, (a, b) in enumerate(zip(expected, LABELS, strict=True)) if a != b}
    assert {error.index for error in mapping.errors(TEXTS, LABELS)} == wrong
    assert {"MAE", "quadratic kappa"} <= set(mapping.cross_validate().scores.scores)
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mapper)
    assert loaded.is_ordinal
    assert loaded.predict(TEXTS) == expected


def test_probabilities_are_the_weighted_mean_of_those_of_scores_and_cuts(mapper, tmp_path):
    plain, graded = mapper.adapt(TEXTS, LABELS), mapper.adapt(TEXTS, LABELS, ordinal=GRADES)
    scores = graded._state.solution.scores(mapper.featurizer.texts(TEXTS))
    cuts = graded._state.grade_cuts
    by_cuts = cuts.probabilities(scores)
    np.testing.assert_allclose(by_cuts.sum(axis=1), 1, atol=1e-5)
    expected = (1 - cuts.share) * plain.predict_proba(TEXTS) + cuts.share * by_cuts
    np.testing.assert_allclose(graded.predict_proba(TEXTS), expected, atol=1e-5)
    assert not plain.is_ordinal
    graded.save(tmp_path / "task")
    assert Mapping.load(tmp_path / "task", mapper)._state.grade_cuts == cuts


def test_cuts_are_found_where_the_grades_are_separated():
    heights, targets = np.repeat([-0.9, -0.5, 0.8], 40), np.repeat([0, 1, 2], 40)
    # Heights are the scores times -1, 0 and 1, so that they are the last score here.
    scores = np.stack([0 * heights, 0 * heights, heights], axis=1)
    cuts = fit_grade_cuts(scores, targets)
    assert cuts.probabilities(scores).argmax(axis=1).tolist() == targets.tolist()
    assert list(cuts.cuts) == sorted(cuts.cuts)


def test_cuts_count_by_how_well_they_predict_left_out_examples():
    rng, targets, folds = np.random.default_rng(0), np.tile(np.arange(3), 20), np.arange(60) // 3
    on_a_line = np.eye(3)[targets] + 0.2 * rng.normal(size=(60, 3))
    not_on_a_line = rng.normal(size=(60, 3))
    sure, unsure = np.eye(3)[targets] * 0.94 + 0.02, np.full((60, 3), 1 / 3)
    assert share_of_cuts(on_a_line, unsure, targets, folds) > 0.8
    assert share_of_cuts(not_on_a_line, sure, targets, folds) < 0.1
    one_fold = np.zeros(60, int)  # nothing is left to fit cuts to, so that they say nothing
    assert share_of_cuts(on_a_line, sure, targets, one_fold) < 0.1


def test_a_high_text_is_not_graded_low():
    rng = np.random.default_rng(0)
    scores, targets = rng.normal(size=(30, 5)), rng.integers(0, 5, 30)
    cuts = fit_grade_cuts(scores, targets)
    order = np.argsort(scores @ np.linspace(-1, 1, 5))
    assert (np.diff(best_grades(cuts.probabilities(scores))[order]) >= 0).all()


def test_grades_may_have_no_example(mapper):
    with pytest.warns(UserWarning, match="no example has the grade 'terrible', 'great' of `ordinal`"):
        mapping = mapper.adapt(TEXTS, LABELS, ordinal=["terrible", *GRADES, "great"])
    assert mapping.labels == ("terrible", "bad", "ok", "good", "great")
    assert mapper.zero_shot(GRADES, ordinal=True).is_ordinal


def test_the_classifier_has_grades_too(published, tmp_path):
    classifier = MetaMappingClassifier(str(published), ordinal=GRADES).fit(TEXTS, LABELS)
    assert classifier.predict(TEXTS).tolist() == classifier.mapping_.predict(TEXTS)
    loaded = MetaMappingClassifier.load(classifier.save(tmp_path / "classifier"))
    assert loaded.ordinal == GRADES
    assert loaded.predict(TEXTS).tolist() == classifier.predict(TEXTS).tolist()
    with pytest.raises(ValueError, match="give each label of y once"):
        MetaMappingClassifier(str(published), ordinal=GRADES[:2]).fit(TEXTS, LABELS)


def test_what_is_no_grade_is_refused(mapper):
    with pytest.raises(ValueError, match="label 4 is 'good', which is not one of the grades bad, ok"):
        mapper.adapt(TEXTS, LABELS, ordinal=["bad", "ok"])
    with pytest.raises(ValueError, match="label 0 is 'great', which is not one of the grades"):
        mapper.adapt(TEXTS, LABELS, ordinal=GRADES).add(["lovely"], ["great"])
    stars = ["1 star", "1 star", "3 stars", "5 stars"]
    others = "label 0 is '1 star', .* grades 1, 2, 3, 4, 5 .nor are '3 stars', '5 stars'.: write"
    with pytest.raises(ValueError, match=others):
        mapper.adapt(TEXTS[:4], stars, ordinal=[1, 2, 3, 4, 5])
    assert unused_grades([1, 2, 3, 4, 5], stars, of="example") is None  # which would be said in vain
    with pytest.raises(ValueError, match="ordinal has 'ok' twice"):
        read_grades(["bad", "ok", "ok"])
    with pytest.raises(ValueError, match="give at least two grades"):
        read_grades(["bad"])
    with pytest.raises(ValueError, match="ordinal is for tasks with one label for each text"):
        mapper.adapt([["a"]], [["O"]], task_type="ner", ordinal=GRADES)


def test_a_threshold_of_grades_needs_examples_out_of_scope(mapper):
    plain = mapper.adapt(TEXTS, LABELS, ordinal=GRADES)
    for find in (plain.find_threshold, lambda: plain.predict(TEXTS, threshold="auto")):
        with pytest.raises(ValueError, match="found with examples out of scope, and there are none"):
            find()
    assert len(plain.predict(TEXTS, threshold=0.1)) == len(TEXTS)
    without = mapper.adapt(TEXTS, LABELS, ordinal=GRADES, out_of_scope="oos")
    assert without.predict(TEXTS) == plain.predict(TEXTS)
    outside = ["bob works in rome in june", "anna lives in paris"]
    scoped = mapper.adapt([*TEXTS, *outside], [*LABELS, "oos", "oos"], ordinal=GRADES, out_of_scope="oos")
    assert 0 <= scoped.find_threshold() <= 1
    assert set(scoped.predict([*TEXTS, *outside])) <= {*GRADES, "oos"}
