"""MetaMappingClassifier: the conventions of scikit-learn, and the same results as MetaMapper."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data

from metamapping import Mapping
from metamapping.corpus.labels import label_value
from metamapping.errors import StoreError
from metamapping.sklearn import MetaMappingClassifier

TEXTS = ["where is my parcel", "the delivery is late", "i want my money back", "please refund the order"] * 3
LABELS = ["delivery", "delivery", "refund", "refund"] * 3


@pytest.mark.parametrize("values", [(1, -1), (True, False), (0.0, 1.0), ("a b", " c")], ids=str)
def test_predicted_labels_have_the_type_of_the_given_ones(mapper, values):
    y = np.array([values[label == "refund"] for label in LABELS])
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, y)
    assert classifier.classes_.tolist() == sorted(values)
    predicted = classifier.predict(TEXTS)
    assert predicted.dtype == y.dtype
    assert predicted.tolist() == y.tolist()
    assert classifier.score(TEXTS, y) == 1


def test_probabilities_are_in_the_order_of_classes(mapper):
    labels = ["z", "z", "a", "a"] * 3
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, labels)
    assert classifier.mapping_.labels == ("z", "a")
    probabilities = classifier.predict_proba(TEXTS)
    assert classifier.classes_[probabilities.argmax(axis=1)].tolist() == labels


def test_label_names_are_keyed_by_the_given_labels(mapper):
    y = [1 if label == "refund" else -1 for label in LABELS]
    plain = MetaMappingClassifier(mapper).fit(TEXTS, y)
    named = MetaMappingClassifier(mapper, label_names={1: "refund", -1: "delivery"}).fit(TEXTS, y)
    same = mapper.adapt(TEXTS, LABELS)
    order = [same.labels.index(name) for name in ("delivery", "refund")]
    np.testing.assert_allclose(named.predict_proba(TEXTS), same.predict_proba(TEXTS)[:, order], atol=1e-5)
    assert not np.allclose(plain.predict_proba(TEXTS), named.predict_proba(TEXTS))


def test_two_columns_are_read_as_pairs(mapper):
    frame = pd.DataFrame({"premise": TEXTS, "hypothesis": TEXTS[::-1]})
    classifier = MetaMappingClassifier(mapper).fit(frame, LABELS)
    same = mapper.adapt(TEXTS, LABELS, text_pairs=TEXTS[::-1])
    pairs = [*zip(TEXTS, TEXTS[::-1], strict=True)]
    once = sorted(set(pairs))  # the order in which they are computed, so that the digits are the same
    expected = same.predict_proba([text for text, _ in once], text_pairs=[pair for _, pair in once])
    np.testing.assert_allclose(
        classifier.predict_proba(frame), expected[[once.index(each) for each in pairs]]
    )
    one = MetaMappingClassifier(mapper).fit(frame[["premise"]], LABELS)
    assert one.predict(TEXTS).tolist() == LABELS


def test_the_order_of_texts_does_not_change_the_result(mapper):
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, LABELS)
    texts = [*TEXTS, *TEXTS[:5], "something else"]
    backwards = classifier.predict_proba(texts[::-1])[::-1]
    np.testing.assert_array_equal(classifier.predict_proba(texts), backwards)


def test_a_value_that_is_not_a_text_is_rejected_with_its_row(mapper):
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match=r"text 1 is .*: expected a string"):
        classifier.predict_proba([TEXTS[0], ["not", "a", "text"]])


def test_clones_share_only_the_encoder(mapper, published):
    fitted = MetaMappingClassifier(mapper).fit(TEXTS, LABELS)
    copied = clone(fitted)
    assert copied.model is mapper
    assert not hasattr(copied, "mapping_")
    first, second = (MetaMappingClassifier(published).fit(TEXTS, LABELS) for _ in range(2))
    assert first.mapping_._featurizer is second.mapping_._featurizer


def test_it_works_in_pipelines_searches_and_cross_validation(mapper, published):
    upper = FunctionTransformer(lambda texts: [text.upper() for text in texts])
    assert make_pipeline(upper, MetaMappingClassifier(mapper)).fit(TEXTS, LABELS).score(TEXTS, LABELS) == 1
    folds = StratifiedKFold(3)
    assert cross_val_score(MetaMappingClassifier(mapper), TEXTS, LABELS, cv=folds).tolist() == [1, 1, 1]
    names = [None, {"refund": "money back"}]
    search = GridSearchCV(MetaMappingClassifier(published), {"label_names": names}, cv=folds)
    assert search.fit(np.array(TEXTS), np.array(LABELS)).best_score_ == 1
    assert search.predict(TEXTS[:1]).tolist() == ["delivery"]


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (TEXTS, ["one"] * 12, "only one class"),
        (TEXTS, None, "requires y to be passed"),
        (TEXTS, np.linspace(0, 1, 12), "Unknown label type: continuous"),
        (np.array([TEXTS] * 3).T, LABELS, r"X has the shape \(12, 3\): expected one column of texts"),
        (TEXTS, ["a", " a"] * 6, "some labels are equal when written as strings"),
        (TEXTS[:11], LABELS, "11 texts but 12 labels"),
        ([*TEXTS[:11], None], LABELS, "text 11 is missing"),
        ([*TEXTS[:11], " "], LABELS, "text 11 is empty: drop the row or give it a text"),
        (TEXTS[0], LABELS, r"X is the single text 'where is my parcel': give a list of texts"),
        (TEXTS, [*LABELS[:11], None], r"label 11 of y is missing \(None\): drop the row"),
        (TEXTS, [*LABELS[:11], float("nan")], r"label 11 of y is missing \(nan\)"),
        (TEXTS, np.array([*LABELS[:3], np.nan, *LABELS[4:]], dtype=object), "label 3 of y is missing"),
        (TEXTS, pd.Series([1.0, np.nan] * 6), "label 1 of y is missing"),
        (TEXTS, pd.Series([1, pd.NA] * 6, dtype="Int64"), "label 1 of y is missing"),
        (TEXTS, pd.Series([*LABELS[:11], None], dtype="category"), "label 11 of y is missing"),
        (TEXTS, ["a", 1] * 6, "label 1 of y is 1 but label 0 is 'a': give one type of label"),
        (TEXTS, [1, True] * 6, "label 1 of y is True but label 0 is 1"),
    ],
)
def test_examples_that_cannot_be_learned_from_are_rejected(mapper, X, y, message):
    with pytest.raises(ValueError, match=message):
        MetaMappingClassifier(mapper).fit(X, y)


@pytest.mark.parametrize("text", ["where is my parcel", np.array("where is my parcel"), b"bytes"])
def test_a_single_text_is_rejected(mapper, text):
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, LABELS)
    for method in (classifier.predict, classifier.predict_proba):
        with pytest.raises(ValueError, match=r"X is the single text .*: give a list of texts"):
            method(text)


def test_an_empty_text_gets_the_most_frequent_class(mapper):
    y = ["z", "a", "z", "z"] * 3
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, y)
    assert classifier.predict(["", " "]).tolist() == ["z", "z"]
    np.testing.assert_allclose(classifier.predict_proba([""]), [[4 / 14, 10 / 14]], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int64", "int8", "float32", "bool", "<U3", "object"])
def test_classes_have_the_dtype_of_y(mapper, dtype):
    y = np.array([0, 0, 1, 1] * 3).astype("<U3" if dtype == "object" else dtype).astype(dtype)
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, y)
    assert classifier.classes_.dtype == classifier.predict(TEXTS).dtype == y.dtype
    assert classifier.mapping_.labels == tuple(label_value(label) for label in classifier.classes_)


def test_names_of_unknown_labels_are_rejected(mapper):
    with pytest.raises(ValueError, match="label_names has a name for '2', which is not in y: -1, 1"):
        MetaMappingClassifier(mapper, label_names={"2": "refund"}).fit(TEXTS, [1, -1] * 6)


@pytest.mark.parametrize("key", [1, 1.0, "1", "1.0"])
def test_label_names_of_numbers_are_compared_by_value(mapper, key):
    classifier = MetaMappingClassifier(mapper, label_names={key: "refund"}).fit(TEXTS, [1.0, -1.0] * 6)
    assert classifier.mapping_.explain(TEXTS[0]).label in (1, -1)
    assert classifier._readable_names([-1, 1])["1"] == "refund"


def test_lists_of_labels_are_unwrapped_or_rejected_with_their_row(mapper):
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, [["refund"], "delivery"] * 6)
    assert classifier.classes_.tolist() == ["delivery", "refund"]
    with pytest.raises(ValueError, match=r"label 1 is .*expected a string or a number"):
        MetaMappingClassifier(mapper).fit(TEXTS, [["refund"], ["refund", ""]] * 6)


LISTS = [["refund"], ["refund", "delivery"], ["delivery"], []] * 3


def test_lists_of_labels_are_predicted_as_an_indicator_matrix(mapper):
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, LISTS)
    assert classifier.classes_.tolist() == ["delivery", "refund"]
    predicted = classifier.predict(TEXTS)
    expected = classifier.mapping_.predict(TEXTS)
    assert predicted.tolist() == [[int(c in row) for c in ("delivery", "refund")] for row in expected]
    columns = [classifier.mapping_.labels.index(label) for label in classifier.classes_]
    np.testing.assert_allclose(
        classifier.predict_proba(TEXTS), classifier.mapping_.predict_proba(TEXTS)[:, columns], atol=1e-5
    )


@pytest.mark.parametrize("kind", [np.array, pd.DataFrame, list, csr_array])
def test_an_indicator_matrix_is_learned_and_scored(mapper, kind):
    indicator = np.array([[int(c in row) for c in ("delivery", "refund", "nobody")] for row in LISTS])
    y = indicator.tolist() if kind is list else kind(indicator)
    classifier = MetaMappingClassifier(mapper, label_names={0: "delivery", 1: "refund"}).fit(TEXTS, y)
    assert classifier.classes_.tolist() == [0, 1, 2]
    assert classifier.predict(TEXTS).shape == (12, 3)
    assert not classifier.predict_proba(TEXTS)[:, 2].any()  # no text has it
    assert 0 <= classifier.score(TEXTS, indicator) <= 1
    by_lists = MetaMappingClassifier(mapper).fit(TEXTS, LISTS)
    np.testing.assert_allclose(
        classifier.predict_proba(TEXTS)[:, :2], by_lists.predict_proba(TEXTS), atol=1e-5
    )


def test_a_classifier_of_several_labels_is_saved(mapper, tmp_path):
    y = pd.DataFrame({"a": [1, 0, 1, 0] * 3, "b": [1, 1, 0, 0] * 3, "c": [0] * 12})
    classifier = MetaMappingClassifier(mapper).fit(TEXTS, y)
    loaded = MetaMappingClassifier.load(classifier.save(tmp_path / "saved"), mapper)
    assert loaded.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(loaded.predict(TEXTS), classifier.predict(TEXTS))


def test_nothing_is_predicted_before_fit(mapper):
    with pytest.raises(NotFittedError):
        MetaMappingClassifier(mapper).predict(TEXTS)


@pytest.mark.parametrize("dtype", ["int64", "float32", "bool", "<U3", "object"])
def test_a_saved_classifier_is_loaded_as_it_was(mapper, published, tmp_path, dtype):
    y = np.array([0, 0, 1, 1] * 3).astype("<U3" if dtype == "object" else dtype).astype(dtype)
    names = {y[0].item() if hasattr(y[0], "item") else y[0]: "delivery"}
    fitted = MetaMappingClassifier(mapper, label_names=names).fit(TEXTS, y)
    folder = fitted.save(tmp_path / "classifier")
    assert fitted.save(folder) == folder  # replaces it
    loaded = MetaMappingClassifier.load(folder)
    assert loaded.get_params() == {
        "model": str(published),
        "label_names": names,
        "tune": False,
        "ordinal": None,
        "out_of_scope": None,
    }
    assert loaded.classes_.dtype == fitted.classes_.dtype
    np.testing.assert_array_equal(loaded.classes_, fitted.classes_)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    assert loaded.predict(TEXTS).tolist() == y.tolist()
    assert clone(loaded).fit(TEXTS, y).predict(TEXTS).tolist() == y.tolist()
    assert MetaMappingClassifier.load(folder, mapper).model is mapper
    assert Mapping.load(folder / "task", mapper).num_examples == len(TEXTS)


def test_what_is_not_a_saved_classifier_is_rejected(mapper, tmp_path):
    fitted = MetaMappingClassifier(mapper).fit(TEXTS, LABELS)
    with pytest.raises(NotFittedError):
        MetaMappingClassifier(mapper).save(tmp_path / "unfitted")
    task = fitted.mapping_.save(tmp_path / "task")
    with pytest.raises(ValueError, match="is not a saved classifier: give another folder"):
        fitted.save(task)
    with pytest.raises(FileNotFoundError, match="is not a saved classifier"):
        MetaMappingClassifier.load(task)
    folder = fitted.save(tmp_path / "classifier")
    about = folder / "classifier.json"
    about.write_text(about.read_text().replace("refund", "refuse"))
    with pytest.raises(StoreError, match=r"classifier.json is missing or not as it was written"):
        MetaMappingClassifier.load(folder)
    days = np.array(["2026-01-01", "2026-01-02"] * 6, "datetime64[D]")
    dated = MetaMappingClassifier(mapper).fit(TEXTS, days)
    with pytest.raises(ValueError, match=r"the labels have the type datetime64.*, which cannot be saved"):
        dated.save(tmp_path / "dated")


def test_an_encoder_in_memory_is_not_pickled(mapper):
    with pytest.raises(TypeError, match="give the path of the published folder instead"):
        pickle.dumps(MetaMappingClassifier(mapper))
    with pytest.raises(TypeError, match="a mapping cannot be pickled"):
        pickle.dumps(MetaMappingClassifier(mapper).fit(TEXTS, LABELS).mapping_)


@pytest.mark.slow
def test_cross_validation_runs_in_several_processes(published):
    classifier = MetaMappingClassifier(str(published))
    assert cross_val_score(classifier, TEXTS, LABELS, cv=StratifiedKFold(3), n_jobs=2).tolist() == [1, 1, 1]


class OnNumbers(MetaMappingClassifier):
    """The classifier with numbers converted to texts: scikit-learn's own checks use numbers."""

    def fit(self, X, y):
        return super().fit(as_texts(validate_data(self, X)), y)

    def predict(self, X):
        check_is_fitted(self)
        if not self.mapping_.is_multi_label:  # it calls predict_proba, which converts
            return super().predict(X)
        return super().predict(as_texts(validate_data(self, X, reset=False)))

    def predict_proba(self, X):
        check_is_fitted(self)
        return super().predict_proba(as_texts(validate_data(self, X, reset=False)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array, tags.input_tags.string = False, True, False
        return tags


def as_texts(X):
    return [" ".join(f"{chr(97 + i % 26)}{int(4 * value)}" for i, value in enumerate(row)) for row in X]


NOT_PICKLED = "an encoder cannot be pickled: a fitted classifier is saved by `save(folder)`"
EXPECTED_TO_FAIL = {"check_estimators_pickle": NOT_PICKLED}


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_scikit_learns_own_checks_pass(published):
    outcomes = check_estimator(
        OnNumbers(str(published)), expected_failed_checks=EXPECTED_TO_FAIL, on_fail=None, on_skip=None
    )
    failed = {each["check_name"]: each["exception"] for each in outcomes if each["status"] == "failed"}
    assert not failed
    expected = {each["check_name"] for each in outcomes if each["status"] == "xfail"}
    assert expected == set(EXPECTED_TO_FAIL)
    assert sum(each["status"] == "passed" for each in outcomes) > 40


OUTSIDE = ["the weather in london was lovely", "anna lives in paris", "bob works in rome in june"]


@pytest.mark.parametrize("outside", ["oos", 9], ids=str)
def test_texts_out_of_scope_are_a_class(mapper, tmp_path, outside):
    labels = LABELS if outside == "oos" else [int(label == "refund") for label in LABELS]
    texts, y = [*TEXTS, *OUTSIDE], np.array([*labels, *[outside] * 3])
    classifier = MetaMappingClassifier(mapper, out_of_scope=outside).fit(texts, y)
    same = mapper.adapt(texts, y, out_of_scope=outside)
    assert classifier.classes_.tolist() == sorted({*labels, outside})
    assert classifier.predict(texts).tolist() == same.predict(texts)
    assert classifier.predict([" "]).tolist() == [outside]
    probabilities = classifier.predict_proba([*texts, ""])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    place = classifier.classes_.tolist().index(outside)
    inside = np.delete(probabilities, place, axis=1).max(axis=1)
    np.testing.assert_allclose(inside[:-1], same.confidence(texts), atol=1e-5)
    assert probabilities[-1, place] == 1
    loaded = MetaMappingClassifier.load(classifier.save(tmp_path / "saved"), mapper)
    assert loaded.get_params() == classifier.get_params()
    assert loaded.predict(texts).tolist() == classifier.predict(texts).tolist()


def test_out_of_scope_needs_a_label_with_two_examples(mapper):
    texts, y = [*TEXTS[:1], *TEXTS[-1:], *OUTSIDE], [LABELS[0], LABELS[-1], "oos", "oos", "oos"]
    assert LABELS[0] != LABELS[-1]
    classifier = MetaMappingClassifier(mapper, out_of_scope="oos")
    with pytest.raises(ValueError, match="a label needs two examples for that: give more, or leave"):
        classifier.fit(texts, y)
    assert not hasattr(classifier, "mapping_")


def test_a_fold_without_texts_out_of_scope_keeps_their_class(mapper):
    classifier = MetaMappingClassifier(mapper, out_of_scope="oos").fit(TEXTS, LABELS)
    assert classifier.classes_.tolist() == ["delivery", "oos", "refund"]
    assert classifier.predict_proba(OUTSIDE).shape == (3, 3)


def test_out_of_scope_must_fit_the_labels(mapper):
    with pytest.raises(ValueError, match="out_of_scope is 9 but y has labels such as \\['delivery'\\]"):
        MetaMappingClassifier(mapper, out_of_scope=9).fit(TEXTS, LABELS)
    with pytest.raises(ValueError, match="only one class"):
        MetaMappingClassifier(mapper, out_of_scope="refund").fit(TEXTS, LABELS)
