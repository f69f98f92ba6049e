"""Labels of rows are read in one spelling, and are one per row."""

import pytest

from metamapping.adaptation.scores import entity_scores
from metamapping.cli.entity_fields import EntityFields
from metamapping.cli.fields import Fields


def labels(*values):
    return Fields("text-classification").labels([{"text": "a", "label": value} for value in values])


def test_labels_have_one_spelling():
    assert labels("1.0", 1, 1.0, ["1"], " x ") == ["1", "1", "1", "1", "x"]


def test_labels_of_one_type_keep_it():
    assert labels(1, 2.0, 2.5) == [1, 2, 2.5]
    assert labels(True, False) == [True, False]
    assert labels(True, 1) == ["true", "1"]


@pytest.mark.parametrize("value", [["a", "b"], [], {"a": 1}])
def test_several_labels_are_rejected_with_their_row(value):
    with pytest.raises(
        ValueError, match=r"row 2 \(column 'label'\) is .*: expected one label \(several labels for one"
    ):
        labels("a", value)


def tags(*rows):
    return EntityFields().labels([{"words": ["a"] * len(row), "tags": row} for row in rows])


def test_tags_without_a_type_are_whole_entities():
    gold = tags(["B", "I", "O"], ["B", "I", "O"])
    assert gold == [["B-entity", "I-entity", "O"]] * 2
    half = [["B-entity", "O", "O"], ["B-entity", "I-entity", "O"]]
    assert entity_scores(gold, half).scores["entity F1"].mean == 0.5


def test_tags_that_fit_no_scheme_are_rejected_with_their_row():
    with pytest.raises(ValueError, match="row 2 has the tag 'o': outside of entities is written 'O'"):
        tags(["PER", "O"], ["o", "PER"])
