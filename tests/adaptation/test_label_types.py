"""Labels come back in the type that they were given in, through every way to use a task."""

import json

import numpy as np
import pandas as pd
import pytest

from metamapping import Mapping

TEXTS = ["where is my parcel", "the delivery is late", "i want my money back", "please refund the order"]
TYPES = {
    "integers": ([0, 0, 1, 1], int),
    "numpy": (np.array([0, 0, 1, 1], np.int32), int),
    "pandas": (pd.Series([0.0, 0.0, 1.0, 1.0]), int),
    "fractions": ([0.5, 0.5, 1.5, 1.5], float),
    "booleans": ([False, False, True, True], bool),
    "strings": (["0", "0", "1", "1"], str),
}


@pytest.mark.parametrize(("labels", "type_"), TYPES.values(), ids=TYPES)
def test_labels_come_back_as_they_were_given(mapper, tmp_path, labels, type_):
    adapted = mapper.adapt(TEXTS, labels)
    folder = adapted.save(tmp_path / "task")
    for mapping in (adapted, Mapping.load(folder, mapper)):
        assert mapping.predict(TEXTS) == list(labels)
        assert mapping.answer(TEXTS).labels == list(labels)
        assert mapping.predict(TEXTS[:1], threshold=0.0) == list(labels)[:1]
        assert mapping.labels == tuple(dict.fromkeys(list(labels)))
        explanation = mapping.explain(TEXTS[0])
        found = [*mapping.predict(TEXTS), *mapping.labels, explanation.label, explanation[0].label]
        assert {type(label) for label in found} == {type_}
    assert json.loads((folder / "task.json").read_text())["labels"] == list(adapted.labels)


def test_the_type_changes_no_probability(mapper):
    expected = mapper.adapt(TEXTS, ["0", "0", "1", "1"], label_names={"1": "refund"}).predict_proba(TEXTS)
    for key in (1, "1", 1.0):
        mapping = mapper.adapt(TEXTS, [0, 0, 1, 1], label_names={key: "refund"})
        np.testing.assert_array_equal(mapping.predict_proba(TEXTS), expected)


def test_labels_that_are_added_must_be_of_the_same_type(mapper):
    mapping = mapper.adapt(TEXTS, [0, 0, 1, 1])
    mapping.add(["the weather in london"], [np.int64(2)])
    mapping.add(["lovely in june"], [2.0])
    assert mapping.labels == (0, 1, 2)
    with pytest.raises(ValueError, match=r"'2' is a string, but the task's labels are numbers \(0, 1, 2\)"):
        mapping.add(["the weather in london"], ["2"])
    with pytest.raises(ValueError, match="True is a boolean, but the task's labels are numbers"):
        mapping.add(["the weather in london"], [True])
    assert mapping.num_examples == 6


def test_a_label_is_removed_by_its_value(mapper):
    mapping = mapper.adapt([*TEXTS, "lovely in june"], [0, 0, 1, 1, 2])
    for label in ("1", True):
        with pytest.raises(ValueError, match=f"there is no label {label!r} to remove; labels: 0, 1, 2"):
            mapping.remove(label=label)
    mapping.remove(label=0.0)
    assert mapping.labels == (1, 2)


def test_zero_shot_labels_keep_their_type(mapper):
    mapping = mapper.zero_shot([1, 2], label_names={1: "delivery", 2: "refund"})
    assert mapping.labels == (1, 2)
    assert set(mapping.predict(TEXTS)) <= {1, 2}
    assert mapper.zero_shot([1, 2], task_type="ner").labels == ("O", "1", "2")
