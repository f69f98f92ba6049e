"""Labels have one spelling, and are one per text."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metamapping.config.labels import (
    NotOneLabelError,
    joined_labels,
    label_column_doubt,
    label_text,
    separator_in,
)
from metamapping.config.sources import Source


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *(
            (one, "1")
            for one in (1, 1.0, "1", "1.0", " 1.00 ", "+1.0", Decimal("1.0"), np.int64(1), np.float32(1))
        ),
        ("-1.0", "-1"),
        ("-0.0", "0"),
        (2.5, "2.5"),
        (Decimal("2.50"), "2.5"),
        ("2.50", "2.50"),
        ("1.10", "1.10"),
        ("007", "007"),
        ("1.0.0", "1.0.0"),
        (True, "true"),
        (float("nan"), None),
        (" ", None),
        (None, None),
        (["refund"], "refund"),
        (("1.0",), "1"),
        (np.array([1.0]), "1"),
    ],
)
def test_a_label_has_one_spelling(value, text):
    assert label_text(value) == text


@given(st.integers())
def test_a_whole_number_is_one_label_however_it_is_written(number):
    spellings = {label_text(each) for each in (number, str(number), f"{number}.0", f" {number}.000 ")}
    assert spellings == {str(number)}


@given(st.one_of(st.text(), st.floats(), st.integers(), st.decimals(allow_nan=False), st.booleans()))
def test_a_spelling_is_spelled_like_itself(value):
    text = label_text(value)
    assert label_text(text) == text


@pytest.mark.parametrize("value", [[], ["a", "b"], [["a"]], {"name": "a"}, {"a"}, (), np.array(["a", "b"])])
def test_several_labels_or_none_are_not_one(value):
    with pytest.raises(NotOneLabelError):
        label_text(value)


def source(**settings):
    return Source(name="s", task_type="text-classification", role="train", files=["s.csv"], **settings)


def test_settings_of_labels_have_the_same_spelling():
    given = source(label_names={1: "bad", "5.0": "great"}, labels=[1, "5.0"], drop_labels=[1.0])
    assert (given.label_names, given.labels, given.drop_labels) == (
        {"1": "bad", "5": "great"},
        ["1", "5"],
        ["1"],
    )


def test_two_names_of_one_label_are_refused():
    with pytest.raises(ValueError, match="two keys are the label '1'"):
        source(label_names={"1": "bad", "1.0": "worst"})


def test_only_many_labels_in_nearly_as_many_rows_are_doubted():
    assert label_column_doubt(235, 240) == "235 labels in 240 rows: is this the label column?"
    assert label_column_doubt(8, 8) is None
    assert label_column_doubt(77, 154) is None


@pytest.mark.parametrize(
    ("labels", "separator"),
    [
        (["login|urgent", "refund|urgent", "login", "refund"], "|"),
        (["login; urgent", "refund; urgent", "refund; login", "urgent"], ";"),
        (["a,b", "b,c", "a,c", "a,b,c"], ","),
        (["a|b"], None),  # one label may be written so
        (["toys, games", "food, drinks", "books"], None),  # no part comes again
        (["input/output", "input/error", "input", "output"], None),
        ([], None),
    ],
)
def test_labels_that_are_joined_by_a_separator_are_recognized(labels, separator):
    assert separator_in(labels) == separator
    assert (joined_labels(labels) is None) is (separator is None)
