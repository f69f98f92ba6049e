"""Labels of rows are read in one spelling, and are one per row."""

import pytest

from metamapping.cli.fields import Fields


def labels(*values):
    return Fields("text-classification").labels([{"text": "a", "label": value} for value in values])


def test_labels_have_one_spelling():
    assert labels("1.0", 1, 1.0, ["1"], " x ") == ["1", "1", "1", "1", "x"]


@pytest.mark.parametrize("value", [["a", "b"], [], {"a": 1}])
def test_several_labels_are_rejected_with_their_row(value):
    with pytest.raises(
        ValueError, match=r"row 2 has .* in 'label': expected one label \(several labels for one"
    ):
        labels("a", value)
