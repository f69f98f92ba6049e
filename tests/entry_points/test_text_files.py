"""Files of texts with their oddities, and what other tools export, are the same to every entry point."""

import re

import pytest

from metamapping.cli.kept_rows import answered
from metamapping.cli.reading import Reading
from metamapping.config.sources import Columns
from tests.corpus.toys import write_jsonl
from tests.entry_points.entry_points import check_entry_points, pipeline, python
from tests.entry_points.files import write

NAMED = Columns(text="message", label="topic")
BY_NUMBER = Columns(text=1, label=0)
MOVED = "text,label\nmy parcel is late,delivery\nplease refund me,refund\n"
READ = [("my parcel is late", None, "delivery"), ("please refund me", None, "refund")]
ACCENTS = "text,label\nun café à côté,lieu\n“déjà” vu,mot\n"
READ_ACCENTS = [("un café à côté", None, "lieu"), ("“déjà” vu", None, "mot")]
PLAIN = {}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
BY_COLUMNS = '{"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}'


@pytest.mark.parametrize(
    ("name", "content", "columns", "settings", "expected"),
    [
        ("a.csv", b"\xef\xbb\xbf" + MOVED.encode(), None, PLAIN, READ),
        ("a.csv", MOVED.replace("\n", "\r\n"), None, PLAIN, READ),
        ("a.csv", MOVED + "\n\n  \n"[:2], None, PLAIN, READ),
        ("a.csv", MOVED.rstrip("\n"), None, PLAIN, READ),
        (
            "a.csv",
            MOVED.replace(",", ";").replace("is late", "is late, again"),
            None,
            PLAIN,
            [("my parcel is late, again", None, "delivery"), READ[1]],
        ),
        ("a.csv", MOVED.replace(",", "\t"), None, PLAIN, READ),
        ("a.csv", MOVED.replace(",", "|"), None, PLAIN, READ),
        ("a.csv", MOVED.replace(",", ":"), None, PLAIN, "no column 'text', but the columns text:label"),
        ("a.csv", MOVED.replace(",", ":"), None, {"delimiter": ":"}, READ),
        ("a.csv", ACCENTS.encode("cp1252"), None, PLAIN, "is not utf-8: byte 0xE9 .*such as cp1252"),
        ("a.csv", ACCENTS.encode("cp1252"), None, {"encoding": "cp1252"}, READ_ACCENTS),
        ("a.csv", ACCENTS.encode("utf-16"), None, PLAIN, "is not utf-8: .* such as utf-16"),
        ("a.csv", ACCENTS.encode("utf-16"), None, {"encoding": "utf-16"}, READ_ACCENTS),
        ("a.csv", MOVED, None, {"encoding": "latin-9000"}, "there is no encoding 'latin-9000'"),
        ("a.csv", MOVED.split("\n", 1)[1], Columns(text=0, label=1), {"header": False}, READ),
        (
            "a.csv",
            "2,the team won\n3,shares fell\n",
            BY_NUMBER,
            {"header": False},
            [("the team won", None, "2"), ("shares fell", None, "3")],
        ),
        ("a.csv", MOVED, Columns(text=7), {"header": False}, "no column 7, but 2 columns"),
        (
            "a.csv",
            'text,label\n"two\nlines, one row",x\nb,y\n',
            None,
            PLAIN,
            [("two\nlines, one row", None, "x"), ("b", None, "y")],
        ),
        ("a.csv", 'text,label\n"never closed,x\nb,y\n', None, PLAIN, "opened in line 2 never closes"),
        ("a.csv", 'text,label\n"a" b,x\nb,y\n', None, PLAIN, "line 2 cannot be read .*fix its quotes"),
        ("a.csv", "text,label\na,x\nb\nc,y,z\n", None, PLAIN, "line 3 has 1 fields"),
        ("a.csv", "text,label,text\na,x,b\n", None, PLAIN, "two columns of the name 'text'"),
        ("a.csv", "text,id,label,id\na,1,x,2\nb,3,y,4\n", None, PLAIN, [("a", None, "x"), ("b", None, "y")]),
        ("a.csv", "message,topic,,,\na,x,,,\nb,y,z,,\n", NAMED, PLAIN, [("a", None, "x"), ("b", None, "y")]),
        ("a.csv", "text,label\na\0b,x\nb,y\n", None, PLAIN, [("a\0b", None, "x"), ("b", None, "y")]),
        ("a.csv", "text,label\n", None, PLAIN, "a.csv has no rows: expected at least one"),
        ("a.csv", "", None, PLAIN, "a.csv has no rows: expected at least one"),
        ("a.jsonl", "", None, PLAIN, "a.jsonl has no rows: expected at least one"),
        ("a.conll", "", None, PLAIN, "a.conll has no rows: expected at least one"),
        ("a.tsv", 'text\tlabel\na "b\tx\nc" d\ty\n', None, PLAIN, [('a "b', None, "x"), ('c" d', None, "y")]),
        (
            "a.jsonl",
            '{"text": "a", "label": "x"}\n\n{"text": "b", "label": "y"}\n\n',
            None,
            PLAIN,
            [("a", None, "x"), ("b", None, "y")],
        ),
        ("a.jsonl", '{"text": "a", "label": "x"}\n{"text": "b", \n', None, PLAIN, "line 2 is not valid JSON"),
        (
            "a.jsonl",
            '{"text": "a", "label": "x"}\n["b"]\n',
            None,
            PLAIN,
            "line 2 is .*: write one JSON object",
        ),
        (
            "a.jsonl",
            '{"text": "a", "label": "x"}\n{"label": "y"}\n',
            None,
            PLAIN,
            "text of row 2 .* is missing",
        ),
        (
            "a.jsonl",
            '{"text": "\\ud83d b", "label": "\\ud83d"}\n',
            None,
            PLAIN,
            [("\ufffd b", None, "\ufffd")],
        ),
        (
            "a.jsonl",
            '{"m": {"text": ["a"]}, "label": "x"}\n',
            Columns(text="m.text.0"),
            PLAIN,
            [("a", None, "x")],
        ),
        (
            "a.jsonl",
            '{"m": {"text": "a"}, "label": "x"}\n',
            Columns(text="m.body"),
            PLAIN,
            "no column 'm.body', but the columns m, label",
        ),
        ("a.json", '[{"text": "a", "label": "x"}', None, PLAIN, "the array is not closed"),
        (
            "a.json",
            '{"data": [{"text": "a", "label": "x"}]}',
            None,
            PLAIN,
            "no column 'text', but the columns data",
        ),
        ("a.parquet", "PAR1 not really", None, PLAIN, "is not a readable parquet file"),
        ("a.xlsx", "PK not really", None, PLAIN, "is not a readable .xlsx file"),
        ("a.csv.gz", MOVED, None, PLAIN, "is not a readable csv file"),
    ],
)
def test_oddities_of_files(tmp_path, name, content, columns, settings, expected):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    read = check_entry_points(path, columns, **settings)
    if isinstance(expected, str):
        assert re.search(expected, read)
    else:
        assert read == expected


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "sep=;\ntext;label\na, b;x\nc;y\n", [("a, b", None, "x"), ("c", None, "y")]),
        ("a.csv", '"SEP=|"\r\ntext|label\r\na;b|x\r\n', [("a;b", None, "x")]),
        ("a.csv", 'sep=,\ntext,label\na,x\n"b\n', "opened in line 4 never closes"),
        ("a.csv", POINTER, "a.csv is a pointer of Git LFS"),
        ("a.jsonl", POINTER, "a.jsonl is a pointer of Git LFS"),
        ("a.parquet", POINTER, "a.parquet is a pointer of Git LFS"),
        ("a.xlsx", POINTER, "a.xlsx is a pointer of Git LFS"),
        ("a.csv", "PK\3\4 and so on", "a.csv is a ZIP archive, as spreadsheets are: .* to xlsx"),
        ("a.tsv", "PAR1 and so on", "a.tsv is a Parquet file: set `format`"),
        ("a.csv", "<!doctype html>\n<html>sign in</html>\n", "a.csv is a web page"),
        (
            "a.csv",
            "text,label\na,['login']\nb,\"['refund']\"\n",
            [("a", None, "login"), ("b", None, "refund")],
        ),
        ("a.csv", 'text,label\na,x\nb,"[""login"", ""urgent""]"\n', "row 2 .* expected one label"),
        ("a.csv", 'text,label\na,x\nb,"{""choices"": [""x"", ""y""]}"\n', "row 2 .* expected one label"),
        ("a.csv", "text,label\na,[PAD]\nb,{x}\n", [("a", None, "[PAD]"), ("b", None, "{x}")]),
        ("a.json", BY_COLUMNS, "one object with the columns of all rows: .* orient='records'"),
        (
            "a.json",
            '{"columns": ["text"], "index": [0], "data": [["a"]]}',
            "one object with the columns of all",
        ),
        (
            "a.csv",
            'text,label\n"a \\"b\\"",x\nc,y\n',
            "line 2 cannot be read .* written twice, and not with a back",
        ),
        ("a.jsonl", '{"text": "a", "labels": ["x"]}\n', "no column 'label', .*did you mean 'labels'"),
        ("a.jsonl", '{"text": "a\nb", "label": "x"}\n', r"not valid JSON .*line breaks within it as \\n"),
        ("a.jsonl", '{"text": "a", "label": "x"},\n', "not valid JSON .*without a comma after it"),
        ("a.csv", "text,label\ra,x\rb,y\r", [("a", None, "x"), ("b", None, "y")]),
        ("a.csv", ",text,label\n0,a,x\n1,b,y\n", [("a", None, "x"), ("b", None, "y")]),
    ],
)
def test_what_other_tools_export(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content, newline="")
    read = check_entry_points(tmp_path / name)
    if isinstance(expected, str):
        assert re.search(expected, read)
    else:
        assert read == expected


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet", "xlsx"])
def test_texts_that_were_not_accepted_are_left_out_of_every_format(tmp_path, format):
    rows = [
        {"text": "where is it", "label": "delivery", "answer": "accept"},
        {"text": "my money", "label": "delivery", "answer": "reject"},
        {"text": "hello", "label": "delivery", "answer": "ignore"},
    ]
    path = write(tmp_path, format, rows)
    accepted, *rejected = pipeline(path, Columns(), "text-classification")
    assert accepted == ("where is it", None, "delivery")
    assert [row[2] for row in rejected] == ["not_accepted"] * 2
    with pytest.warns(UserWarning, match="rows that were not accepted are left out: row 2, 3"):
        assert python(path, Columns(), "text-classification") == [accepted]
    records, read = Reading().rows(str(path))
    assert answered(Reading().fields("text-classification", records), read).numbers == [1]


def test_a_column_of_labels_may_be_called_answer(tmp_path):
    rows = [{"text": "it is red", "answer": "reject"}, {"text": "it is fine", "answer": "accept"}]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    assert check_entry_points(path, columns=Columns(label="answer")) == [
        ("it is red", None, "reject"),
        ("it is fine", None, "accept"),
    ]
    reading = Reading(label="answer")
    records, read = reading.rows(str(path))
    assert answered(reading.fields("text-classification", records), read).numbers == [1, 2]
