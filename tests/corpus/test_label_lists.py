"""Labels of texts that have any number of them, as files have them."""

import numpy as np
import pytest

from metamapping.corpus.label_lists import has_label_list, label_list_of, label_lists_of
from metamapping.corpus.values import MissingError, UnusableError


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        (["login", "urgent"], ["login", "urgent"]),
        ([], []),
        (("a", "b", "a"), ["a", "b"]),
        ({"b", "a"}, ["a", "b"]),
        (np.array(["a", "b"]), ["a", "b"]),
        ('["wrong size", "refund"]', ["wrong size", "refund"]),
        ("['a', 'b']", ["a", "b"]),
        ("[]", []),
        ("a|b", ["a|b"]),
        ([1, 2.0], [1, 2]),
        (7, [7]),
    ],
)
def test_a_list_is_a_list_in_whatever_form(value, labels):
    assert label_list_of(value) == labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [("a|b", ["a", "b"]), (" a | b |", ["a", "b"]), ("", []), (None, []), ("a", ["a"]), ('["a|b"]', ["a|b"])],
)
def test_a_separator_splits_a_field_that_is_no_list(text, labels):
    assert label_list_of(text, "|") == labels


def test_only_lists_of_several_or_none_say_that_there_are_several():
    assert all(map(has_label_list, [["a", "b"], [], "[]", '["a", "b"]']))
    assert not any(map(has_label_list, ["a", ["a"], None, 1, '["a"]', [[0, 3, "PER"], [4, 5, "LOC"]]]))


@pytest.mark.parametrize("value", [None, "", float("nan")])
def test_a_missing_value_is_not_an_empty_list(value):
    with pytest.raises(MissingError, match=r"give a list of labels, \[\] for none"):
        label_list_of(value)


@pytest.mark.parametrize("value", [[["a"], "b"], [{"name": "a"}, "b"]])
def test_nested_lists_are_refused(value):
    with pytest.raises(UnusableError, match=r"expected a list of labels.*--task-type ner"):
        label_list_of(value)


def test_all_lists_have_labels_of_one_type():
    assert label_lists_of([["y"], [1], []]) == [["y"], ["1"], []]
    assert label_lists_of([[1, 2], [True]]) == [["1", "2"], ["true"]]
    assert label_lists_of([[1], [2]]) == [[1], [2]]
