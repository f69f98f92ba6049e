"""Entity types that are probably one, written in two ways, are told."""

import pytest

from metamapping.corpus.tag_doubts import tag_doubts


@pytest.mark.parametrize("other", ["PRE", "PERS", "PE", "PEX"])
def test_a_type_that_only_follows_one_of_nearly_its_name_is_told(other):
    rows = [["B-PER", f"B-{other}", f"I-{other}", "O"], ["B-PER", "B-LOC"]]
    assert tag_doubts(rows) == [
        f"the entity type {other!r} only occurs directly after 'PER': if it is a misspelling, correct it"
    ]


def test_types_that_differ_in_capitals_are_told():
    (sentence,) = tag_doubts([["B-PER", "B-per"], ["B-LOC"]])
    assert sentence.startswith("the labels 'PER' and 'per' differ only in capital letters")


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [["O"], []],
        [["B-PER", "B-PRE"], ["B-PRE"]],  # it begins on its own, too
        [["B-first name", "B-last name"]],
        [["B-street1", "B-street2"]],
        [["B-A", "B-B"]],
    ],
)
def test_other_types_are_not_doubted(rows):
    assert tag_doubts(rows) == []
