"""Tag schemes: all tags are converted to BIO or refused."""

import pytest

from metamapping.corpus.tags import MalformedTagError, find_scheme, to_bio


def test_bioes_and_bilou_become_bio():
    tags = ["B-A", "I-A", "E-A", "S-B", "U-B", "B-A", "L-A", "O"]
    bio = ["B-A", "I-A", "I-A", "B-B", "B-B", "B-A", "I-A", "O"]
    assert to_bio(tags, find_scheme(tags), repair=False) == bio


@pytest.mark.parametrize("prefix", ["I-", ""])
def test_io_becomes_bio(prefix):
    tags = [f"{prefix}A", f"{prefix}A", "O", f"{prefix}B", f"{prefix}A"]
    assert to_bio(tags, find_scheme(tags), repair=False) == ["B-A", "I-A", "O", "B-B", "B-A"]


def test_entity_types_may_contain_hyphens():
    assert to_bio(["B-Multi-tissue", "I-Multi-tissue"], "BIO", repair=False) == [
        "B-Multi-tissue",
        "I-Multi-tissue",
    ]


@pytest.mark.parametrize("tags", [["I-A"], ["B-A", "I-B"], ["B-A", "O", "I-A"], ["S-A", "I-A"]])
def test_an_inside_tag_that_continues_no_entity_is_repaired_or_refused(tags):
    assert "I-" not in "".join(to_bio(tags, "BIO", repair=True)).removeprefix("B-AB-A")
    with pytest.raises(MalformedTagError, match="I-"):
        to_bio(tags, "BIO", repair=False)


def test_a_tag_that_fits_no_scheme_is_refused_even_with_repair():
    with pytest.raises(MalformedTagError, match="PER"):
        to_bio(["B-PER", "PER"], "BIO", repair=True)


def test_dropped_types_become_outside():
    tags = ["B-A", "I-A", "B-B"]
    assert to_bio(tags, "BIO", repair=False, drop=frozenset("A")) == ["O", "O", "B-B"]
