"""Scope: thresholds that are found by leaving examples out, and examples that belong to no label."""

from dataclasses import replace

import numpy as np
import pytest

from metamapping import Mapping
from metamapping.adaptation import scope
from metamapping.adaptation.scope import ScopeEvidence, check_threshold, find_threshold, scope_evidence

TEXTS = [
    "where is my parcel",
    "my parcel has not arrived",
    "the delivery is late again",
    "i want my money back",
    "please refund the order",
    "refund my money",
]
LABELS = ["delivery"] * 3 + ["refund"] * 3
OUTSIDE = ["the weather in london was lovely", "anna lives in paris", "bob works in rome in june"]


@pytest.fixture(scope="module")
def mapping(mapper):
    return mapper.adapt([*TEXTS, *OUTSIDE], [*LABELS, *["oos"] * 3], out_of_scope="oos")


@pytest.fixture
def evidence(monkeypatch):
    """Four examples of the task, of which one is wrong, and two texts outside."""
    found = ScopeEvidence(
        np.array([0.9, 0.8, 0.6, 0.3]), np.array([True, True, False, True]), np.array([0.5, 0.1])
    )
    monkeypatch.setattr(scope, "scope_evidence", lambda state: found)


def test_the_threshold_of_the_best_f1_lies_between_two_confidences(evidence):
    # At 0.7 half of the task's texts are answered, all of them right: F1 is 2 · 0.5 / (0.5 + 1) = 0.667. At
    # 0.2 all are, 0.75 right, and half of the texts outside: 2 · 0.75 / (1.5 + 1) = 0.6.
    assert find_threshold(None) == pytest.approx(0.7)


def test_a_wanted_precision_has_the_lowest_threshold_that_reaches_it(evidence):
    assert find_threshold(None, precision=1.0) == pytest.approx(0.7)
    assert find_threshold(None, precision=0.6) == pytest.approx(0.55)
    assert find_threshold(None, precision=0.5) == pytest.approx(0.2)
    assert find_threshold(None, precision=0.3) == 0.0


def test_the_threshold_is_lower_where_fewer_texts_are_outside(evidence):
    # At 0.7 F1 is 2 · 0.45 / (0.45 + 0.9) = 0.667; at 0.2 it is 2 · 0.675 / (0.9 + 0.05 + 0.9) = 0.730.
    assert find_threshold(None, outside=0.1) == pytest.approx(0.2)
    assert find_threshold(None, outside=0.9) == pytest.approx(0.7)
    assert find_threshold(None, precision=0.7, outside=0.0) == 0.0
    assert find_threshold(None, outside=1.0) > 0.5


def test_where_no_text_is_outside_none_is_left_without_an_answer_for_those_that_are(evidence):
    # F1 is 2 · 0.75 / (1 + 1) with all four answered, and lower at every other threshold.
    assert find_threshold(None, outside=0.0) == 0.0


def test_a_precision_that_no_threshold_has_is_an_error(monkeypatch):
    found = ScopeEvidence(np.array([0.9, 0.8]), np.array([False, True]), np.array([0.1]))
    monkeypatch.setattr(scope, "scope_evidence", lambda state: found)
    with pytest.raises(ValueError, match=r"no threshold has the precision 0\.9: the highest is 0\.500"):
        find_threshold(None, precision=0.9)


@pytest.mark.parametrize(
    "wrong", [1.5, "automatic", {"recall": 0.9}, {"precision": 2}, {"outside": -1}, {}, True, [0.5]]
)
def test_other_thresholds_are_an_error(wrong):
    with pytest.raises(ValueError, match="expected a probability from 0 to 1, 'auto'"):
        check_threshold(wrong)


def test_examples_out_of_scope_take_no_part_in_the_mapping(mapper, mapping):
    without = mapper.adapt(TEXTS, LABELS)
    assert mapping.labels == without.labels == ("delivery", "refund")
    assert (mapping.num_examples, mapping.num_out_of_scope, mapping.out_of_scope) == (6, 3, "oos")
    np.testing.assert_array_equal(mapping.predict_proba(TEXTS), without.predict_proba(TEXTS))
    outside = scope_evidence(mapping._state).outside
    np.testing.assert_allclose(outside, mapping.confidence(OUTSIDE), atol=1e-6)


def test_texts_outside_are_answered_with_the_name_and_empty_ones_with_none(mapping):
    threshold = mapping.find_threshold()
    expected = [
        label if near else "oos"
        for label, near in zip(
            mapping.answer(TEXTS, threshold=0).labels, mapping.confidence(TEXTS) >= threshold, strict=True
        )
    ]
    assert mapping.predict(TEXTS) == mapping.predict(TEXTS, threshold="auto") == expected
    assert mapping.predict([*OUTSIDE[:1], "", " "], threshold=1.0) == ["oos", None, None]
    assert mapping.answer([*OUTSIDE[:1], ""], threshold=1.0).labels == ["oos", None]


def test_without_such_examples_auto_gives_no_label(mapper):
    mapping = mapper.adapt(TEXTS, LABELS)
    predicted = mapping.predict([*TEXTS, *OUTSIDE], threshold="auto")
    threshold = mapping.find_threshold()
    assert [label is None for label in predicted] == (
        mapping.confidence([*TEXTS, *OUTSIDE]) < threshold
    ).tolist()
    assert None not in mapping.predict(OUTSIDE)


def test_a_task_with_examples_out_of_scope_is_saved_and_changed(mapper, mapping, tmp_path):
    mapping.save(tmp_path / "task")
    loaded = Mapping.load(tmp_path / "task", mapper)
    assert loaded.find_threshold() == pytest.approx(mapping.find_threshold(), abs=1e-6)
    assert loaded.predict(TEXTS) == mapping.predict(TEXTS)
    loaded.add(["paris in june", "my parcel is late"], ["oos", "delivery"])
    assert (loaded.num_examples, loaded.num_out_of_scope) == (7, 4)
    loaded.add(["rome"], ["oos"])
    assert (loaded.num_examples, loaded.num_out_of_scope) == (7, 5)
    loaded.remove(label="oos")
    assert (loaded.num_examples, loaded.num_out_of_scope, loaded.out_of_scope) == (7, 0, None)


def test_a_saved_task_knows_its_threshold_until_its_examples_change(mapper, mapping, tmp_path, monkeypatch):
    mapping.save(tmp_path / "task")
    loaded, texts = Mapping.load(tmp_path / "task", mapper), [*TEXTS, *OUTSIDE, "a late refund"]
    monkeypatch.setattr(scope, "scope_evidence", None)
    assert loaded.predict(texts) == mapping.predict(texts) == loaded.predict(texts, threshold="auto")
    monkeypatch.undo()
    for change in (lambda task: task.add(["rome in june"], ["oos"]), lambda task: task.remove([0])):
        loaded, changed = (
            Mapping.load(tmp_path / "task", mapper),
            mapper.adapt([*TEXTS, *OUTSIDE], [*LABELS, *["oos"] * 3], out_of_scope="oos"),
        )
        change(loaded)
        change(changed)
        found = changed._lowest_confidence(changed.state, None)
        assert found != loaded.state.outside.threshold
        assert loaded._lowest_confidence(loaded.state, None) == pytest.approx(found, abs=1e-6)


def test_tasks_without_such_examples_are_written_as_before(mapper, tmp_path):
    folder = mapper.adapt(TEXTS, LABELS).save(tmp_path / "task")
    assert "outside" not in (folder / "task.json").read_text()


def test_errors_compare_with_the_name(mapping):
    threshold = mapping.find_threshold()
    errors = mapping.errors([*TEXTS, *OUTSIDE], [*LABELS, *["oos"] * 3])
    near = mapping.confidence(OUTSIDE) >= threshold
    assert {error.index for error in errors if error.index >= 6} == {6 + i for i in np.flatnonzero(near)}
    assert all(error.explanation is None for error in errors if error.predicted == "oos")


def test_numbers_are_out_of_scope_by_value(mapper):
    mapping = mapper.adapt([*TEXTS, *OUTSIDE], [1.0] * 3 + [2] * 3 + [-1] * 3, out_of_scope=-1.0)
    assert (mapping.labels, mapping.out_of_scope, mapping.num_out_of_scope) == ((1, 2), -1, 3)


def test_what_does_not_exist_is_refused(mapper, mapping):
    with pytest.raises(ValueError, match="out_of_scope is for tasks with one label for each text"):
        mapper.adapt([["a"]], [["O"]], task_type="ner", out_of_scope="oos")
    with pytest.raises(ValueError, match="only one label"):
        mapper.adapt(TEXTS[:4], [*LABELS[:3], "oos"], out_of_scope="oos")
    with pytest.raises(ValueError, match="give a label two examples, or a number"):
        mapper.zero_shot(["delivery", "refund"]).predict(TEXTS, threshold="auto")
    ridgeless = replace(mapping._state, solution=replace(mapping._state.solution, ridge=None))
    with pytest.raises(ValueError, match="with the solvers `ridge` and `plain-ridge`: give a number"):
        find_threshold(ridgeless)
    words = mapper.zero_shot(["place", "person"], task_type="ner")
    with pytest.raises(ValueError, match="for ner give a probability"):
        words.predict([["paris"]], threshold="auto")


def test_suggestions_have_the_label_that_is_predicted(mapper, mapping):
    pool = [*TEXTS, *OUTSIDE, "what time is it"]
    suggestions = mapping.suggest(pool)
    assert [each.label for each in suggestions] == mapping.predict([each.text for each in suggestions])
    assert "oos" in {each.label for each in suggestions}
    # With one example of each label no threshold can be found yet.
    first = mapper.adapt([TEXTS[0], TEXTS[3], OUTSIDE[0]], [LABELS[0], LABELS[3], "oos"], out_of_scope="oos")
    assert {each.label for each in first.suggest(pool)} <= set(first.labels)


def test_what_is_out_of_scope_has_no_score_to_explain(mapping):
    with pytest.raises(ValueError, match="'oos' is out of scope, which is no label with a score"):
        mapping.explain("sing a song", label="oos")
