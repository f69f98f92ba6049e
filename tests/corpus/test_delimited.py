"""Delimited files of other programs: delimiters, headers and encodings."""

import pytest

from metamapping.config.sources import Columns, Source
from metamapping.corpus.source_checks import check_source
from metamapping.corpus.text_files import fitting_encodings
from metamapping.errors import ConfigError
from tests.corpus.toys import records_of, toy_source

NAMED = Columns(text="message", label="topic")
ROWS = [("late, again", "delivery"), ("please; refund", "refund")]


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rows_of(path, **settings):
    source = toy_source(path, **settings)
    check_source(source)
    return [(row["text"], row["label"]) for row in records_of(source) if row["fault"] is None]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
def test_the_delimiter_of_a_csv_file_is_found(tmp_path, delimiter, header):
    lines = [["message", "topic"]] if header else []
    lines += [[f'"{text}"', label] for text, label in ROWS]
    text = "\r\n".join(delimiter.join(line) for line in lines)
    path = write(tmp_path / "a.csv", f"\ufeff{text}\r\n")
    assert rows_of(path, header=header, columns=NAMED if header else Columns()) == ROWS


def test_unquoted_commas_do_not_make_a_file_comma_separated(tmp_path):
    text = "id;message;topic\n1;late, again;delivery\n2;refund me;refund\n3;yes, no, what;other\n"
    assert rows_of(write(tmp_path / "a.csv", text), columns=NAMED)[2] == ("yes, no, what", "other")


def test_semicolons_in_a_comma_separated_file_are_text(tmp_path):
    text = "text,label\na;b,x\nc;d,y\ntoo,many,fields\n"
    assert rows_of(write(tmp_path / "a.csv", text)) == [("a;b", "x"), ("c;d", "y")]
    text = "a;b,x\nc;d,y\n"
    assert rows_of(write(tmp_path / "a.csv", text), header=False) == [("a;b", "x"), ("c;d", "y")]


def test_a_delimiter_can_be_set(tmp_path):
    text = "message:topic\nlate, again:delivery\n"
    assert rows_of(write(tmp_path / "a.csv", text), columns=NAMED, delimiter=":") == [ROWS[0]]
    assert rows_of(write(tmp_path / "a.tsv", text), columns=NAMED, delimiter=":") == [ROWS[0]]


def test_a_delimiter_that_is_not_found_is_named_with_its_setting(tmp_path):
    path = write(tmp_path / "a.csv", "message:topic\nlate, again:delivery\n")
    with pytest.raises(ConfigError, match=r"columns message:topic \(separated by ','\).*--delimiter\) if"):
        rows_of(path, columns=Columns(text="message", label="topic"))


@pytest.mark.parametrize("delimiter", ["", "::", "\n", '"'])
def test_a_delimiter_is_one_character(delimiter):
    with pytest.raises(ValueError, match=r"`delimiter` is .*: give one character"):
        Source(name="a", task_type="ner", role="test", files=["a.csv"], delimiter=delimiter)


def test_columns_without_a_name_are_ignored(tmp_path):
    text = "topic,message,,,\nrefund,please refund me,,,\n"
    assert rows_of(write(tmp_path / "a.csv", text), columns=NAMED) == [("please refund me", "refund")]


def test_spaces_around_the_names_of_columns_are_ignored(tmp_path):
    text = "text, label\nplease refund me, refund\n"
    assert rows_of(write(tmp_path / "a.csv", text)) == [("please refund me", "refund")]
    path = write(tmp_path / "a.jsonl", '{" text": "hello", "label ": "x"}\n')
    assert rows_of(path) == [("hello", "x")]
    with pytest.raises(ConfigError, match="the columns text, ' label'"):
        rows_of(write(tmp_path / "a.csv", text), columns=Columns(label="kind"))


@pytest.mark.parametrize(
    ("encoding", "fitting"),
    [("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("cp1252", "cp1252"), ("utf-32", "utf-32")],
)
def test_the_error_of_an_undecodable_byte_names_encodings_that_fit(tmp_path, encoding, fitting):
    text = "text,label\ncafé – “quoted”,x\n"
    path = write(tmp_path / "a.csv", text, encoding)
    with pytest.raises(ConfigError, match=rf"set `encoding` \(.*--encoding\) .* such as {fitting}"):
        rows_of(path)
    assert rows_of(path, encoding=fitting) == [("café – “quoted”", "x")]


def test_utf_8_is_named_for_files_that_are_read_as_something_else():
    assert fitting_encodings("日本語 ".encode() * 3)[0] == "utf-8"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "señor, ¿dónde está?"),
        ("cp1250", "Příliš žluťoučký kůň"),
        ("cp1251", "посылка пришла вовремя"),
        ("cp1253", "Καλημέρα, το προϊόν είναι καλό"),
        ("koi8-r", "Привет, как дела? Товар отличный"),
        ("gb2312", "质量太差了,要求退款"),
        ("big5", "這個產品很好用"),
        ("shift_jis", "とても良い商品です"),
        ("euc-kr", "정말 좋은 제품입니다"),
    ],
)
def test_the_encodings_that_are_named_read_a_short_text(encoding, text):
    names = fitting_encodings(text.encode(encoding))
    assert text in [text.encode(encoding).decode(name, "replace") for name in names]
    assert len(names) <= 3
