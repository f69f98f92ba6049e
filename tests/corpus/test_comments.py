"""Comments and columns of CoNLL: which lines are words, and which columns are words and tags."""

import pytest

from metamapping.config.sources import Columns
from metamapping.corpus.source_checks import check_source
from metamapping.errors import ConfigError
from tests.corpus.toys import records_of, toy_source


def sentences_of(tmp_path, text, **settings):
    path = tmp_path / "a.conll"
    path.write_text(text)
    source = toy_source(path, task_type="ner", **settings)
    check_source(source)
    return [(row["words"], row["tags"], row["line"]) for row in records_of(source)]


@pytest.mark.parametrize(
    "comment",
    [
        "# sent_id = 7",
        "# text = Ada wrote O",
        "# newpar",
        "# a note of several words",
        "#note",
        "#",
        "#\thttp://example.org/a [2009-10-17]",
    ],
)
@pytest.mark.parametrize("separator", [" ", "\t"])
def test_comments_are_not_words(tmp_path, comment, separator):
    text = f"{comment}\nAda{separator}B-PER\nwrote{separator}O\n\n{comment}\n{comment}\nBob{separator}B-PER\n"
    first, second = sentences_of(tmp_path, text)
    assert first == (["Ada", "wrote"], ["B-PER", "O"], 2)
    assert second == (["Bob"], ["B-PER"], 7)


def test_a_file_of_comments_has_no_rows(tmp_path):
    with pytest.raises(ConfigError, match="has no rows"):
        sentences_of(tmp_path, "# a\n\n#b\n")


@pytest.mark.parametrize("line", ["#\tO", "# O", "# B-LOC", "#tag\tO", "#\tB-PLACE"])
def test_a_word_may_begin_with_a_number_sign(tmp_path, line):
    (row,) = sentences_of(tmp_path, f"{line}\nAda B-PER\nwrote O\n")
    assert row[0] == [line.split()[0], "Ada", "wrote"]
    (row,) = sentences_of(tmp_path, f"Ada B-PER\n{line}\nwrote O\n")
    assert row[0] == ["Ada", line.split()[0], "wrote"]


def test_a_number_sign_with_all_columns_is_a_word(tmp_path):
    (row,) = sentences_of(tmp_path, "# # B-NP O\n1 CD I-NP O\nparcel NN I-NP O\n")
    assert row[0] == ["#", "1", "parcel"]


def test_a_hashtag_without_its_tag_is_malformed_and_not_a_comment(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("Ada B-PER\n#happy\n\nBob B-PER\n")
    first, second = records_of(toy_source(path, task_type="ner"))
    assert (first["fault"], second["fault"]) == ("malformed_row", None)


NUMBERED = (
    "#\thttp://example.org/a [2009-10-17]\n1\tAda\tB-PER\tO\n2\tlebt\tO\tO\n3\thier\tO\tO\n\n1\tHier\tO\tO\n"
)


def test_columns_are_chosen_by_number(tmp_path):
    rows = sentences_of(tmp_path, NUMBERED, columns=Columns(text=1, label=2))
    assert rows == [(["Ada", "lebt", "hier"], ["B-PER", "O", "O"], 2), (["Hier"], ["O"], 6)]


def test_columns_are_chosen_by_the_names_of_conll_u_plus(tmp_path):
    text = "# global.columns = ID FORM NER MISC\n" + NUMBERED
    rows = sentences_of(tmp_path, text, columns=Columns(text="FORM", label="NER"))
    assert [row[0] for row in rows] == [["Ada", "lebt", "hier"], ["Hier"]]


def test_numbers_of_words_are_not_read_as_words(tmp_path):
    with pytest.raises(ConfigError, match=r"first column numbers the words .*text: 1.*--text 1"):
        sentences_of(tmp_path, NUMBERED)
    assert sentences_of(tmp_path, NUMBERED, columns=Columns(text=0))[0][0] == ["1", "2", "3"]
    assert sentences_of(tmp_path, "1\tO\n2\tO\n3\tB-X\n")[0][0] == ["1", "2", "3"]
