"""Features together: each pair of them works, or is refused in a sentence."""

import numpy as np
import pytest

from metamapping import Mapping, MetaMapper
from metamapping.adaptation.drift import support_signals
from metamapping.adaptation.readaptation import readapt
from metamapping.adaptation.saved.task_folder import read_task
from metamapping.adaptation.task_page import PAGE, task_page
from metamapping.cli.fields import Fields
from metamapping.cli.labelling import Labelling
from metamapping.html.rendering import to_bytes
from metamapping.runtime import encoder
from metamapping.serving.registry import TaskRegistry
from metamapping.sklearn import MetaMappingClassifier

GRADES = ["bad", "ok", "good"]
SENTENCES = [
    "the lamp is broken and nobody answers",
    "the delivery is late again",
    "it has arrived",
    "the order works",
    "the weather was lovely",
    "lovely i love my parcel",
]
TEXTS = [f"{sentence} {word}" for word in ("today", "now", "again", "please") for sentence in SENTENCES]
LABELS = ["bad", "bad", "ok", "ok", "good", "good"] * 4
LISTS = [["a", "b"], ["a"], [], ["b"], ["c"], ["a", "c"]] * 4


def test_drift_sees_grades_before_and_now_in_the_same_way(mapper):
    mapping = mapper.adapt(TEXTS, LABELS, ordinal=GRADES)
    result = mapping.cross_validate()
    expected = [
        row[GRADES.index(label)] for row, label in zip(result.probabilities, result.predictions, strict=True)
    ]
    np.testing.assert_allclose(support_signals(mapping.state).probability, expected, atol=1e-6)
    answers = mapping.answer(TEXTS)
    own = [row[GRADES.index(label)] for row, label in zip(answers.probabilities, answers.labels, strict=True)]
    np.testing.assert_allclose(mapping.signals(TEXTS).probability, own, atol=1e-5)


def test_the_probability_of_a_row_is_that_of_its_grade(mapper):
    mapping = mapper.adapt(TEXTS, LABELS, ordinal=GRADES)
    labelling = Labelling(mapping, Fields("text-classification"), probabilities=True)
    rows = labelling.rows(iter([{"text": text} for text in TEXTS]), on_progress=lambda count: None)
    for row in rows:
        assert row["probability"] == row["probabilities"][row["prediction"]]


def test_no_label_is_both_a_grade_and_out_of_scope(mapper):
    with pytest.raises(ValueError, match="'ok' is one of the grades and also out_of_scope"):
        mapper.adapt(TEXTS, LABELS, ordinal=GRADES, out_of_scope="ok")
    with pytest.raises(ValueError, match="ordinal is 'bad,ok,good': give a list of the grades"):
        mapper.adapt(TEXTS, LABELS, ordinal="bad,ok,good")


def test_out_of_scope_has_the_type_of_the_labels(mapper):
    stars = [GRADES.index(label) + 1 for label in LABELS]
    for label in ("oos", "1", True):
        with pytest.raises(ValueError, match=r"but out_of_scope is .*: give both in one type"):
            mapper.adapt(TEXTS, stars, out_of_scope=label)
    mapping = mapper.adapt([*TEXTS, "anna"], [*stars, 0], out_of_scope=0.0)
    assert (mapping.out_of_scope, mapping.num_out_of_scope) == (0, 1)
    with pytest.raises(ValueError, match="the label '0' is a string"):
        mapping.add(["bob"], ["0"])
    with pytest.raises(ValueError, match="there is no label '0' to remove"):
        mapping.remove(label="0")
    with pytest.raises(ValueError, match="no example has a label of the task"):
        mapper.adapt(TEXTS, ["oos"] * len(TEXTS), out_of_scope="oos")


def test_pairs_stay_pairs_when_only_examples_out_of_scope_are_left(mapper):
    mapping = mapper.adapt([*TEXTS, "anna"], [*LABELS, "oos"], out_of_scope="oos")
    mapping.remove(range(len(TEXTS)))
    with pytest.raises(ValueError, match="the task's examples have no second text"):
        mapping.add(["late"], ["bad"], text_pairs=["very late"])


def test_several_labels_have_thresholds_of_their_own(mapper):
    with pytest.raises(ValueError, match="each label has one of its own, see `thresholds`"):
        mapper.adapt(TEXTS, LISTS).find_threshold()


def test_several_labels_keep_their_order_on_another_encoder(mapper):
    mapping = mapper.adapt(["x", "y", "z"], [["b"], ["a"], ["b", "a"]], label_names={"b": "bee"})
    mapping.add(["w"], [["rare"]])
    mapping.remove([0, 3])
    moved = readapt(mapping, mapper)
    assert moved.labels == mapping.labels == ("b", "a", "rare")
    assert moved.state.names == mapping.state.names
    np.testing.assert_allclose(moved.predict_proba(TEXTS), mapping.predict_proba(TEXTS), atol=1e-4)


def test_an_encoder_of_8_bits_is_not_tuned(published, monkeypatch):
    monkeypatch.setattr(encoder, "products_overflow", lambda: False)  # as on a processor of another kind
    mapper = MetaMapper.from_pretrained(published, backend="int8")
    with pytest.raises(ValueError, match="computes with 8 bits cannot be tuned: load it with the backend"):
        mapper.adapt(TEXTS, LABELS, tune=True)


@pytest.mark.parametrize("asked", [{"out_of_scope": 2}, {"ordinal": [0, 1, 2]}], ids=str)
def test_a_classifier_of_several_labels_ignores_nothing_that_was_asked(mapper, asked):
    matrix = np.array([[label in row for label in "abc"] for row in LISTS], int)
    with pytest.raises(ValueError, match="is for tasks with one label for each text"):
        MetaMappingClassifier(mapper, **asked).fit(TEXTS, matrix)


def test_the_folder_of_a_classifier_says_where_its_task_is(mapper, tmp_path):
    classifier = MetaMappingClassifier(mapper, ordinal=GRADES).fit(TEXTS, LABELS)
    folder = classifier.save(tmp_path / "classifier")
    with pytest.raises(FileNotFoundError, match="is not a saved task, but"):
        Mapping.load(folder, mapper)
    assert Mapping.load(folder / "task", mapper).predict(TEXTS) == classifier.predict(TEXTS).tolist()


def test_a_server_reads_a_task_that_has_a_report(mapper, tmp_path):
    folder = mapper.adapt(TEXTS, LABELS, ordinal=GRADES).save(tmp_path / "tasks" / "stars")
    (folder / PAGE).write_bytes(to_bytes(task_page(read_task(folder))))
    tasks = TaskRegistry(tmp_path / "tasks", mapper, max_tasks=2)
    tasks.load()
    assert [name for name, _ in tasks.items()] == ["stars"]
