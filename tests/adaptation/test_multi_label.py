"""Tasks whose texts have any number of labels: the columns, the decisions, and everything a mapping does."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation.left_out import LeftOutRegression
from metamapping.adaptation.multi_label.multi_label import solve_columns
from metamapping.adaptation.multi_label.multi_label_mapping import MultiLabelMapping
from metamapping.adaptation.multi_label.multi_label_scores import label_list_scores
from metamapping.errors import StoreError
from tests.adaptation.test_task_folder import rewrite
from tests.toy_published import mapper_with_solver

TEXTS = [
    "where is my parcel it has not arrived",
    "the delivery is late again and nobody answers",
    "i want my money back for the broken lamp",
    "please refund the order that i sent back",
    "the parcel is late i want my money back",
    "the weather in london was lovely in june",
]
LABELS = [["delivery"], ["delivery", "angry"], ["refund"], ["refund"], ["delivery", "refund"], []]
QUERIES = ["where is the order", "my money", "bob works in rome", "the lamp that i sent back"]


@pytest.fixture(scope="module", params=["plain-ridge", "ridge"])
def mapper(published, request):
    return mapper_with_solver(published, request.param)


@pytest.fixture
def mapping(mapper):
    return mapper.adapt(TEXTS, LABELS)


def test_predictions_are_lists_of_the_labels_that_reach_their_thresholds(mapping):
    assert isinstance(mapping, MultiLabelMapping)
    assert mapping.is_multi_label
    assert mapping.labels == ("delivery", "angry", "refund")
    probabilities = mapping.predict_proba(QUERIES)
    thresholds = np.array([mapping.thresholds[label] for label in mapping.labels], np.float32)
    expected = [
        [label for label, p, t in zip(mapping.labels, row, thresholds, strict=True) if p >= t]
        for row in probabilities
    ]
    assert mapping.predict(QUERIES) == expected
    assert mapping.predict(QUERIES, threshold=0.0) == [list(mapping.labels)] * len(QUERIES)
    assert mapping.predict(QUERIES, threshold=1.0) == [[]] * len(QUERIES)


def test_the_columns_are_a_ridge_regression_towards_the_prior(mapping, mapper):
    state = mapping._state
    solution, support = state.solution, state.support
    H = np.concatenate([solution.weighted_features(support.features), np.ones((6, 1))], axis=1)
    H = H.astype(np.float64)
    prior_scores = support.features @ solution.prior[:-1] + solution.prior[-1]
    residual = support.targets - prior_scores
    fitted = prior_scores + H @ H.T @ np.linalg.solve(H @ H.T + solution.ridge * np.eye(6), residual)
    np.testing.assert_allclose(solution.scores(support.features), fitted, atol=1e-4)


def test_left_out_scores_are_those_of_the_mapping_without_the_text(mapping):
    state = mapping._state
    left_out = LeftOutRegression(state).scores(state.support.targets)
    H = np.concatenate(
        [state.solution.weighted_features(state.support.features), np.ones((6, 1))], axis=1
    ).astype(np.float64)
    prior = state.support.features @ state.solution.prior[:-1] + state.solution.prior[-1]
    rest = np.arange(1, 6)
    dual = np.linalg.solve(
        H[rest] @ H[rest].T + state.solution.ridge * np.eye(5), (state.support.targets - prior)[rest]
    )
    np.testing.assert_allclose(left_out[0], prior[0] + H[0] @ H[rest].T @ dual, atol=1e-4)


def test_neither_the_order_of_examples_nor_that_of_labels_matters(mapping, mapper):
    order = [4, 2, 0, 5, 3, 1]
    other = mapper.adapt([TEXTS[i] for i in order], [LABELS[i][::-1] for i in order])
    columns = [other.labels.index(label) for label in mapping.labels]
    np.testing.assert_allclose(
        other.predict_proba(QUERIES)[:, columns], mapping.predict_proba(QUERIES), atol=1e-4
    )
    for label, threshold in mapping.thresholds.items():
        assert other.thresholds[label] == pytest.approx(threshold, abs=1e-3)


def test_with_one_label_a_text_the_scores_are_those_of_an_ordinary_task_but_for_a_constant(published):
    mapper = mapper_with_solver(published, "plain-ridge")
    labels = ["delivery", "delivery", "refund", "refund", "delivery", "weather"]
    several = mapper.adapt(TEXTS, [[label] for label in labels], multi_label=True)
    one = mapper.adapt(TEXTS, labels)
    assert several.labels == one.labels
    x = mapper.featurizer.texts(QUERIES)
    difference = several._state.solution.scores(x) - one._state.solution.solver_scores(x)
    np.testing.assert_allclose(difference, difference[:, :1].repeat(3, axis=1), atol=1e-4)


def test_lists_of_one_label_are_one_label_unless_several_are_asked_for(mapper):
    lists = [["a"], ["a"], ["b"], ["b"], ["b"], ["a"]]
    assert not mapper.adapt(TEXTS, lists).is_multi_label
    assert mapper.adapt(TEXTS, lists, multi_label=True).is_multi_label
    with pytest.raises(ValueError, match=r"label 1 is .*expected one label .*need a multi-label task"):
        mapper.adapt(TEXTS, LABELS, multi_label=False)


def test_adding_and_removing_examples_equals_adapting_anew(mapping, mapper):
    few = mapper.adapt(TEXTS[:3], LABELS[:3])
    few.add([*TEXTS[3:], "bob"], [*LABELS[3:], ["rome"]])
    few.remove([6])
    few.remove(label="rome")
    assert few.labels == mapping.labels
    np.testing.assert_allclose(few.predict_proba(QUERIES), mapping.predict_proba(QUERIES), atol=1e-5)


def test_a_removed_label_leaves_its_texts_with_their_other_labels(mapping, mapper):
    mapping.remove(label="angry")
    assert mapping.labels == ("delivery", "refund")
    assert mapping.num_examples == 6
    anew = mapper.adapt(TEXTS, [[each for each in row if each != "angry"] for row in LABELS])
    np.testing.assert_allclose(mapping.predict_proba(QUERIES), anew.predict_proba(QUERIES), atol=1e-5)
    mapping.remove(label="refund")
    assert mapping.labels == ("delivery",)
    with pytest.raises(ValueError, match="needs at least one"):
        mapping.remove(label="delivery")


def test_without_its_examples_a_task_still_predicts_from_the_names(mapping):
    mapping.remove(range(6))
    assert np.isfinite(mapping.predict_proba(QUERIES)).all()
    with pytest.raises(ValueError, match="fewer than two examples"):
        mapping.cross_validate()


def test_a_saved_task_predicts_the_same_and_goes_on(mapping, mapper, tmp_path):
    loaded = Mapping.load(mapping.save(tmp_path / "task"), mapper)
    assert isinstance(loaded, MultiLabelMapping)
    np.testing.assert_array_equal(loaded.predict_proba(QUERIES), mapping.predict_proba(QUERIES))
    assert loaded.predict(QUERIES) == mapping.predict(QUERIES)
    assert loaded.explain(QUERIES[0]) == mapping.explain(QUERIES[0])
    loaded.add(["bob works in rome"], [["rome", "delivery"]])
    assert loaded.labels[-1] == "rome"


def test_an_ordinary_task_says_nothing_of_several_labels_on_disk(mapper, tmp_path):
    folder = mapper.adapt(TEXTS, ["a", "a", "b", "b", "b", "a"]).save(tmp_path / "task")
    assert "multi_label" not in json.loads((folder / "task.json").read_text())


def test_a_damaged_task_is_refused(mapping, mapper, tmp_path):
    folder = mapping.save(tmp_path / "task")
    rewrite(folder, "task.json", lambda task: {**task, "multi_label": None})
    with pytest.raises(StoreError, match="targets do not fit"):
        Mapping.load(folder, mapper)


def test_the_contributions_of_all_examples_and_the_names_add_up_to_the_score(mapping):
    for label in mapping.labels:
        explanation = mapping.explain(QUERIES[0], num_examples=len(TEXTS), label=label)
        assert explanation.label == label
        total = explanation.prior + sum(each.weight for each in explanation)
        assert total == pytest.approx(explanation.score, abs=1e-3)
        assert {tuple(each.label) for each in explanation} == {tuple(row) for row in LABELS}
    with pytest.raises(ValueError, match="no label 'x' to explain"):
        mapping.explain(QUERIES[0], label="x")


def test_confidence_is_the_probability_that_every_label_is_right(mapping):
    answers = mapping.answer([*QUERIES, " "])
    chosen = np.array([[label in row for label in mapping.labels] for row in answers.labels])
    expected = np.where(chosen, answers.probabilities, 1 - answers.probabilities).prod(axis=1)
    np.testing.assert_allclose(answers.confidence[:-1], expected[:-1], rtol=1e-5)
    assert answers.labels[-1] == []
    assert answers.confidence[-1] == 0
    np.testing.assert_array_equal(mapping.confidence(QUERIES), answers.confidence[:-1])
    np.testing.assert_allclose(answers.probabilities[-1], [4 / 8, 2 / 8, 4 / 8])


def test_cross_validation_measures_lists(mapping):
    result = mapping.cross_validate()
    assert set(result.scores.scores) == {"macro-F1", "micro-F1", "subset accuracy"}
    assert len(result.predictions) == 6
    assert result.num_alone == 1
    assert {error.index for error in result.errors} == {
        i for i, row in enumerate(LABELS) if sorted(row) != sorted(result.predictions[i])
    }
    assert "6 examples, each predicted from the others" in repr(result)
    grouped = mapping.cross_validate(groups=[0, 0, 1, 1, 2, 2])
    assert len(grouped.predictions) == 6


def test_errors_are_the_texts_whose_lists_differ(mapping):
    wrong = [[], ["delivery"], *LABELS[2:5], ["unknown"]]
    errors = mapping.errors(TEXTS, wrong)
    predicted = mapping.predict(TEXTS)
    assert {error.index for error in errors} == {
        i for i, row in enumerate(wrong) if sorted(row) != sorted(predicted[i])
    }
    assert all(error.explanation is not None for error in errors)


def test_numbers_and_booleans_stay_numbers_and_booleans(mapper):
    mapping = mapper.adapt(TEXTS, [[1, 2], [2.0], [1], [], [3], [1]])
    assert mapping.labels == (1, 2, 3)
    with pytest.raises(ValueError, match="give one type of label"):
        mapper.adapt(TEXTS, [[1, 2], ["a"], [1], [], [3], [1]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[], [], [], [], [], []], "no text has a label"),
        ([["a", "b"], None, [], [], [], []], r"label 1 is missing .* or \[\] for none"),
        ([["a", ["b"]], [], [], [], [], []], "label 0 is .*expected a list of labels"),
        ([["a", ""], [], [], [], [], []], "label 0 is ''.*expected a string or a number"),
    ],
)
def test_labels_that_cannot_be_used_are_refused_with_their_row(mapper, labels, message):
    with pytest.raises(ValueError, match=message):
        mapper.adapt(TEXTS, labels)


def test_what_has_no_meaning_for_several_labels_is_refused(mapping, mapper, tmp_path):
    with pytest.raises(ValueError, match="only tasks of one label a text can be exported"):
        mapping.export(tmp_path / "task.onnx")
    with pytest.raises(ValueError, match="several labels are for texts, but ner labels words"):
        mapper.adapt([["Ada"]], [["O"]], task_type="ner", multi_label=True)


def test_encoders_of_other_solvers_are_refused(published):
    with pytest.raises(ValueError, match="`ridge` or `plain-ridge`, and this one has `prototypes`"):
        mapper_with_solver(published, "prototypes").adapt(TEXTS, LABELS)


def test_pairs_of_texts_may_have_several_labels(mapper):
    pairs = TEXTS[::-1]
    mapping = mapper.adapt(TEXTS, LABELS, text_pairs=pairs)
    assert len(mapping.predict(QUERIES, text_pairs=QUERIES)) == len(QUERIES)
    with pytest.raises(ValueError, match="give text_pairs"):
        mapping.predict(QUERIES)


def test_copies_of_a_text_do_not_predict_one_another(mapper):
    once = mapper.adapt(TEXTS, LABELS)
    twice = mapper.adapt(TEXTS * 2, LABELS * 2)
    scores = twice.cross_validate().probabilities
    np.testing.assert_allclose(scores[:6], scores[6:], atol=1e-6)
    assert once.num_examples * 2 == twice.num_examples


def test_both_backends_agree(published):
    by_graph = MetaMapper.from_pretrained(published, backend="runtime").adapt(TEXTS, LABELS)
    by_keras = MetaMapper.from_pretrained(published, backend="tensorflow").adapt(TEXTS, LABELS)
    np.testing.assert_allclose(by_graph.predict_proba(QUERIES), by_keras.predict_proba(QUERIES), atol=1e-3)


def test_scores_of_lists_by_hand():
    result = label_list_scores([["a", "b"], [], ["a"]], [["a"], [], ["b"]])
    # a: 1 of 2 found, 1 predicted: 2/3; b: none of 1, 1 predicted: 0.
    assert result.scores["macro-F1"].mean == pytest.approx(1 / 3)
    assert result.scores["micro-F1"].mean == pytest.approx(2 * 1 / (3 + 2))
    assert result.scores["subset accuracy"].mean == pytest.approx(1 / 3)


def test_no_examples_are_solved_by_the_prior_alone(mapper):
    state = mapper.adapt(TEXTS, LABELS)._state
    empty = state.support.without(range(6))
    model = mapper.featurizer.model.mapping
    solution = solve_columns(model, state.name_features, empty)
    np.testing.assert_array_equal(solution.weights, solution.prior)


def test_files_and_tables_with_lists_give_the_same_task(mapping, mapper, tmp_path):
    path = tmp_path / "examples.jsonl"
    rows = [{"text": text, "label": labels} for text, labels in zip(TEXTS, LABELS, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for task in (
        mapper.adapt(path),
        mapper.adapt(pd.DataFrame(rows)),
        mapper.adapt(pa.Table.from_pylist(rows)),
    ):
        assert task.labels == mapping.labels
        np.testing.assert_allclose(task.predict_proba(QUERIES), mapping.predict_proba(QUERIES), atol=1e-6)


def test_texts_about_whose_labels_little_is_known_are_suggested(mapping):
    pool = [*QUERIES, " "]
    suggestions = mapping.suggest(pool, num=10)
    assert sorted(each.index for each in suggestions) == [0, 1, 2, 3]
    probabilities = mapping.predict_proba(QUERIES)
    answers = mapping.answer(QUERIES)
    undecided = np.minimum(probabilities, 1 - probabilities).sum(axis=1)
    x = mapping._state.solution.weighted_features(mapping._featurizer.texts(QUERIES))
    H = mapping._state.solution.weighted_features(mapping._state.support.features)
    x, H = (np.concatenate([each, np.ones((len(each), 1))], axis=1) for each in (x, H))
    ridge = mapping._state.solution.ridge
    kernel = x @ x.T - x @ H.T @ np.linalg.inv(H @ H.T + ridge * np.eye(len(H))) @ H @ x.T
    gains = undecided * (kernel**2).sum(axis=1) / (np.diag(kernel) + ridge)
    first = suggestions[0]
    assert first.index == gains.argmax()
    assert first.label == answers.labels[first.index]
    assert first.probability == pytest.approx(answers.confidence[first.index], abs=1e-5)
