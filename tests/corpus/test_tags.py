"""Tag schemes: all tags are converted to BIO or refused."""

import pytest

from metamapping.config.sources import Source
from metamapping.corpus.formats import read_file
from metamapping.corpus.label_counts import count_labels
from metamapping.corpus.source_checks import check_source
from metamapping.corpus.tags import (
    MalformedTagError,
    entity_types,
    find_scheme,
    nearest_scheme,
    read_bio,
    to_bio,
)
from metamapping.errors import ConfigError
from tests.corpus.toys import prepare, toy_source, write_jsonl


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


@pytest.mark.parametrize(
    ("tags", "bio"),
    [
        (["B", "I", "O", "B", "B"], ["B-entity", "I-entity", "O", "B-entity", "B-entity"]),
        (["I", "I", "O", "I"], ["B-entity", "I-entity", "O", "B-entity"]),
        (["B", "E", "S", "O"], ["B-entity", "I-entity", "B-entity", "O"]),
        (["B", "M", "E", "S"], ["B-entity", "I-entity", "I-entity", "B-entity"]),
    ],
)
def test_tags_without_a_type_are_of_one_type(tags, bio):
    assert read_bio([tags], what="row") == [bio]
    assert entity_types(tags) == {"entity"}


@pytest.mark.parametrize(
    ("tags", "wrong", "nearest"),
    [
        (["B-PER", "o"], "o", "outside of entities is written 'O'"),
        (["PER", "o", "LOC"], "o", "outside of entities is written 'O'"),
        (["I-PER", "o"], "o", "outside of entities is written 'O'"),
        (["B", "I", "o"], "o", "outside of entities is written 'O'"),
        (["B-PER", "_"], "_", "outside of entities is written 'O'"),
        (["0", "3"], "0", "outside of entities is written 'O'"),
        (["3", "7"], "3", "name the numbers"),
        (["b-per", "i-per", "O"], "b-per", "nearest scheme is BIO, with 'B-per'"),
        (["B_PER", "O"], "B_PER", "nearest scheme is BIO, with 'B-PER'"),
        (["PER-B", "PER-I", "O"], "PER-B", "nearest scheme is BIO, with 'B-PER'"),
        (["B-PER", "M-PER", "E-PER"], "M-PER", "nearest scheme is BIOES, with 'I-PER'"),
        (["B-PER", "PER"], "PER", "nearest scheme is BIO, with 'B-PER'"),
        (["B-PER", "I"], "I", "tags without a type .* with 'I-type'"),
        (["PER", "B", "I"], "B", "tags without a type .* with 'B-type'"),
        (["B-", "I-", "O"], "B-", "after a prefix comes the type, as in 'B-PER'; .* written 'B'"),
        (["B-PER", "i_"], "i_", "after a prefix comes the type, .* written 'I'"),
        (["(PER*", "*)"], "(PER*", "nearest scheme is BIO"),
    ],
)
def test_tags_that_fit_no_scheme_are_refused_with_the_nearest_one(tags, wrong, nearest):
    with pytest.raises(MalformedTagError) as error:
        to_bio(sorted(tags, key=lambda tag: tag != wrong), find_scheme(tags), repair=True)
    assert str(error.value) == wrong
    with pytest.raises(ValueError, match=f"row 2 has the tag .*{nearest}"):
        read_bio([["O"], sorted(tags, key=lambda tag: tag != wrong)], what="row", numbers=[1, 2])
    assert nearest_scheme(wrong)


def test_types_may_look_like_tags():
    tags = ["e-mail", "B_cell", "plan-B", "A", "B", "hepatitis-C"]
    assert entity_types(tags) == set(tags)


@pytest.mark.parametrize("task_type", ["ner", "text-classification"])
def test_a_conll_file_without_types_has_one_type(tmp_path, task_type):
    file = tmp_path / "s.conll"
    file.write_text("breast\tB\ncancer\tI\ngene\tO\n\nlung\tB\ndisease\tI\nhere\tO\n")
    source = toy_source(file, task_type=task_type, label_names={"entity": "disease"})
    check_source(source)
    assert count_labels(source) == {"entity": 2}
    if task_type == "ner":
        rows, rejects, _ = prepare(source, tmp_path)
        assert [row["tags"] for row in rows] == [["B-entity", "I-entity", "O"]] * 2
        assert not rejects
    else:
        rows = list(read_file(file, source))
        assert [(row.text_pair, row.label) for row in rows] == [
            ("breast cancer", "entity"),
            ("lung disease", "entity"),
        ]


def test_a_source_of_tags_that_fit_no_scheme_is_refused_and_single_rows_are_rejected(tmp_path):
    file = tmp_path / "s.conll"
    file.write_text("Eve\tB-PER\nmoved\to\nto\to\nLondon\tB-LOC\n\n")
    with pytest.raises(ConfigError, match=r"readable tags; the first has 'o': outside .* 'O', a capital"):
        check_source(toy_source(file, task_type="ner"))
    file.write_text("Eve\tB-PER\nmoved\to\n\nBob\tB-PER\nran\tO\n")
    source = toy_source(file, task_type="ner")
    check_source(source)
    assert count_labels(source) == {"PER": 1}
    rows, rejects, _ = prepare(source, tmp_path)
    assert [row["words"] for row in rows] == [["Bob", "ran"]]
    assert [row["reason"] for row in rejects] == ["malformed_tags"]
    mentions = Source(name="m", task_type="text-classification", role="train", files=[str(file)])
    assert [(row.fault, row.label) for row in read_file(file, mentions)] == [
        ("malformed_tags", None),
        (None, "PER"),
    ]


def test_tags_without_a_type_may_be_listed_as_labels(tmp_path):
    rows = [{"words": ["lung", "disease", "here"], "tags": [1, 2, 0]}]
    source = toy_source(write_jsonl(tmp_path / "s.jsonl", rows), task_type="ner", labels=["O", "B", "I"])
    check_source(source)
    assert count_labels(source) == {"entity": 1}
    assert prepare(source, tmp_path)[0][0]["tags"] == ["B-entity", "I-entity", "O"]
