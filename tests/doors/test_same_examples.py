"""The same file has the same examples, or the same error, through every door."""

import contextlib
import json
import re

import numpy as np
import pytest

from metamapping.adaptation.inputs import read_examples
from metamapping.cli.kept_rows import answered, are_rejected
from metamapping.cli.reading import Reading
from metamapping.config.sources import Columns
from tests.corpus.toys import write_jsonl
from tests.doors.doors import check_doors, columns_in_python, command_line, http, pipeline, python, together
from tests.doors.files import FORMATS, ODDITIES, CannotRepresentError, write

TEXTS = "text-classification"
PLACE = re.compile(r"the (text|text_pair|label) of row (\d+) \(column '.*?'\)|(text|text_pair|label) (\d+)")


def has_texts_alone(rows):
    """Whether rows have nothing that some formats cannot tell from a text."""
    return bool(rows) and all(isinstance(value, str) and value for row in rows for value in row.values())


def check_values(rows, read, task_type="text-classification"):
    """Compare the doors that are given values with what is read from a file of these rows."""
    listed, requested = columns_in_python(rows, task_type), http(rows, task_type)
    if isinstance(listed, list):
        assert listed == read
    elif isinstance(read, str):
        # The same sentence, about the same row.
        (there, here) = (PLACE.sub("", each) for each in (read, listed))
        assert there == here
        assert int(PLACE.search(read)[2]) == int(PLACE.search(listed)[4]) + 1
    else:  # Nothing is guessed about the values of a program.
        assert "expected a string" in listed or "give one type of label" in listed
    assert requested == listed or (requested.startswith("invalid request") and isinstance(listed, str))


def written(folder, rows):
    """The path of a file of each format that can represent the rows."""
    paths = {}
    for format in FORMATS:
        with contextlib.suppress(CannotRepresentError):
            paths[format] = write(folder, format, rows)
    assert {"jsonl", "json"} < set(paths)
    return paths


@pytest.mark.parametrize("oddity", ODDITIES)
def test_every_oddity_in_every_format(tmp_path, oddity):
    rows = ODDITIES[oddity]
    names = {name for row in rows for name in row}
    columns = Columns(text_pair="text_pair") if oddity == "pairs" else None
    for format, path in written(tmp_path, rows).items():
        read = check_doors(path, columns)
        if format == "txt":
            assert "the suffix of 'rows.txt' does not tell its format" in read
        if format == "jsonl" and names in ({"text", "label"}, {"text", "label", "text_pair"}):
            check_values(rows, read)


@pytest.mark.parametrize("oddity", [oddity for oddity, rows in ODDITIES.items() if has_texts_alone(rows)])
def test_all_formats_have_the_same_examples(tmp_path, oddity):
    columns = Columns(text_pair="text_pair") if oddity == "pairs" else Columns()
    paths = written(tmp_path, ODDITIES[oddity])
    del paths["txt"]
    if oddity in ("line ends in texts", "huge text"):  # a cell has at most 32,767 characters, and no \r
        del paths["xlsx"]
    read = {
        str(command_line(path, columns, "text-classification")).replace(str(path), "FILE")
        for path in paths.values()
    }
    if oddity in ("missing column", "wrong column"):  # the ways out depend on the format
        read = {each.split(", but")[0] for each in read}
    assert len(read) == 1
    assert len(paths) >= 4


def test_words_and_tags_are_read_from_values_as_from_files(tmp_path):
    rows = [{"words": ["Eve", "moved"], "tags": ["B-PER", "O"]}, {"words": ["Rome"], "tags": ["B-LOC"]}]
    check_values(rows, check_doors(write(tmp_path, "jsonl", rows), task_type="ner"), "ner")
    rows[1]["tags"] = ["O", "O"]
    assert "1 words" in columns_in_python(rows, "ner")
    assert http(rows, "ner") == columns_in_python(rows, "ner")
    assert "1 words" in check_doors(write(tmp_path, "jsonl", rows), task_type="ner")


@pytest.mark.parametrize("oddity", ["plain", "pairs", *(name for name in ODDITIES if "label" in name)])
def test_scikit_learn_reads_the_same_columns(monkeypatch, oddity):
    from metamapping import sklearn

    rows = ODDITIES[oddity]
    X = [row["text"] for row in rows]
    if oddity == "pairs":
        X = np.array([[row["text"], row["text_pair"]] for row in rows])
    y = [row.get("label", row.get(" label ", row.get("LABEL"))) for row in rows]
    expected = columns_in_python([{**row, "label": label} for row, label in zip(rows, y, strict=True)], TEXTS)
    mapper = RecordingMapper()
    monkeypatch.setattr(sklearn, "_load_mapper", lambda folder: mapper)
    classifier = sklearn.MetaMappingClassifier("folder")
    own = {
        "other float labels": "Unknown label type",
        "spaces around labels": "equal when written as strings",
    }
    if oddity in own:  # what scikit-learn demands of classes
        with pytest.raises(ValueError, match=own[oddity]):
            classifier.fit(X, y)
    elif oddity == "lists of labels":  # a task with any number of labels a text
        classifier.fit(X, y)
        assert mapper.examples == together(X, y, None)
    elif isinstance(expected, str):
        with pytest.raises(ValueError, match=r"^label \d+ ") as refused:
            classifier.fit(X, y)
        assert PLACE.sub("", str(refused.value).replace(" of y", "")) == PLACE.sub("", expected)
    else:
        classifier.fit(X, y)
        assert mapper.examples == expected


class RecordingMapper:
    """Keeps the examples that it is to be adapted to."""

    def adapt(self, texts, labels, *, text_pairs, multi_label=None, **others):
        examples = read_examples(texts, labels, text_pairs=text_pairs, multi_label=multi_label)
        self.examples = together(examples.texts, examples.labels, examples.text_pairs)


NAMED = Columns(text="message", label="topic")
BY_NUMBER = Columns(text=1, label=0)
MOVED = "text,label\nmy parcel is late,delivery\nplease refund me,refund\n"
READ = [("my parcel is late", None, "delivery"), ("please refund me", None, "refund")]
ACCENTS = "text,label\nun café à côté,lieu\n“déjà” vu,mot\n"
READ_ACCENTS = [("un café à côté", None, "lieu"), ("“déjà” vu", None, "mot")]
PLAIN = {}


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
    read = check_doors(path, columns, **settings)
    if isinstance(expected, str):
        assert re.search(expected, read)
    else:
        assert read == expected


FOUR_COLUMNS = "Eve NNP B-NP B-PER\nmoved VBD B-VP O\n\nRome NNP B-NP B-LOC\n"
EVE = [(["Eve", "moved"], None, ["B-PER", "O"]), (["Rome"], None, ["B-LOC"])]


@pytest.mark.parametrize(
    ("name", "content", "columns", "expected"),
    [
        ("a.conll", "# id = 1\n# text = Eve moved\nEve\tB-PER\nmoved\tO\n\nRome\tB-LOC\n", None, EVE),
        ("a.conll", "-DOCSTART- -X- -X- O\n\n" + FOUR_COLUMNS, None, EVE),
        ("a.conll", FOUR_COLUMNS.replace("\n", "\r\n"), None, EVE),
        ("a.conll", "\ufeff" + FOUR_COLUMNS, None, EVE),
        (
            "a.conll",
            FOUR_COLUMNS,
            Columns(label=2),
            [(["Eve", "moved"], None, ["B-NP", "B-VP"]), (["Rome"], None, ["B-NP"])],
        ),
        ("a.conll", "1\tEve\tB-PER\n2\tmoved\tO\n3\there\tO\n", None, "the first column numbers the words"),
        (
            "a.conll",
            "1\tEve\tB-PER\n2\tmoved\tO\n3\there\tO\n",
            Columns(text=1, label=2),
            [(["Eve", "moved", "here"], None, ["B-PER", "O", "O"])],
        ),
        (
            "a.conll",
            "Eve B-PER\n\nmoved\n\nRome B-LOC\n",
            None,
            "the sentence in line 3 .moved. has a word without",
        ),
        ("a.conll", "Eve\nmoved\n", None, "the sentence in line 1 .Eve. has a word without a tag"),
        (
            "a.jsonl",
            '{"words": ["Eve", "moved"], "tags": ["B-PER", "O"]}\n{"words": "Rome", "tags": "B-LOC"}\n',
            None,
            EVE,
        ),
        (
            "a.jsonl",
            '{"words": ["Eve", 3], "tags": ["B-PER", "O"]}\n',
            None,
            [(["Eve", "3"], None, ["B-PER", "O"])],
        ),
        (
            "a.jsonl",
            '{"words": ["Eve", null], "tags": ["B-PER", "O"]}\n{"words": ["a"], "tags": ["O"]}\n',
            None,
            "text of row 1 .* give a list of strings",
        ),
        (
            "a.jsonl",
            '{"words": ["Eve", "moved"], "tags": ["B-PER"]}\n{"words": ["a"], "tags": ["O"]}\n',
            None,
            "row 1 has 2 words but 1 tags",
        ),
        (
            "a.jsonl",
            '{"words": ["Eve"], "tags": [1]}\n',
            None,
            "row 1 has the tag '1'|readable tags; the first has '1'",
        ),
        (
            "a.jsonl",
            '{"words": ["bob", " ", "went\\tto"], "tags": ["B-PER", "O", "O"]}\n',
            None,
            [(["bob", " ", "went\tto"], None, ["B-PER", "O", "O"])],
        ),
        ("a.csv", "words,tags\nEve moved,B-PER O\nRome,B-LOC\n", None, EVE),
        ("a.conll", "Eve\tB-PER\nmoved\to\n", None, "the tag 'o': outside of entities is written 'O'"),
    ],
)
def test_oddities_of_files_with_tags(tmp_path, name, content, columns, expected):
    path = tmp_path / name
    path.write_bytes(content.encode())
    read = check_doors(path, columns, "ner")
    if isinstance(expected, str):
        assert re.search(expected, read)
    else:
        assert read == expected


SPANS = [[[0, 3, "PER"], [13, 19, "LOC"]], []]
SPAN_TEXTS = ["Eve moved to London.", "nobody here"]
READ_SPANS = [
    (["Eve", "moved", "to", "London", "."], None, ["B-PER", "O", "O", "B-LOC", "O"]),
    (["nobody", "here"], None, ["O", "O"]),
]


@pytest.mark.parametrize("format", [each for each in FORMATS if each != "txt"])
@pytest.mark.parametrize("names", [("text", "spans"), ("Text ", "ENTITIES"), ("text", "label")])
def test_spans_are_read_in_every_format(tmp_path, format, names):
    as_objects = [[dict(zip(("start", "end", "label"), span, strict=True)) for span in row] for row in SPANS]
    spans = as_objects if format in ("jsonl", "json", "parquet") else map(json.dumps, SPANS)
    rows = [dict(zip(names, row, strict=True)) for row in zip(SPAN_TEXTS, spans, strict=True)]
    assert check_doors(write(tmp_path, format, rows), task_type="ner") == READ_SPANS
    columns = Columns(text=names[0], label=names[1])
    assert check_doors(write(tmp_path, format, rows), columns, "ner") == READ_SPANS


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"text": "Eve", "spans": []}, {"text": "Eve", "spans": [[0, 9, "PER"]]}], "row 2: the span 0 to 9"),
        ([{"text": "Eve", "spans": [[0, 9, "PER"]]}], "row 1: the span 0 to 9"),
        ([{"text": "Eve", "spans": []}, {"text": "Eve", "spans": None}], "the label of row 2 .* is missing"),
        ([{"text": "Eve"}, {"text": "Bob"}], "no column 'spans', .*`ner` reads `words` and `tags`, or"),
        ([{"body": "Eve", "spans": []}], "no column 'words', but the columns body, spans"),
        (
            [
                {"text": "Eve moved", "label": [[0, 3, "PER"]]},
                {"text": "Eve moved", "spans": [{"start": 0, "end": 3, "label": "PER"}]},
                {
                    "data": {"body": "Eve moved"},
                    "annotations": [{"result": [{"value": {"start": 0, "end": 3, "labels": ["PER"]}}]}],
                },
                ["Eve moved", {"entities": [[0, 3, "PER"]]}],
            ],
            [(["Eve", "moved"], None, ["B-PER", "O"])] * 4,
        ),
        (
            [{"tokenized_text": ["Eve", "moved"], "ner": [[0, 0, "PER"]]}],
            [(["Eve", "moved"], None, ["B-PER", "O"])],
        ),
    ],
)
def test_oddities_of_spans(tmp_path, rows, expected):
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    read = check_doors(path, task_type="ner")
    if isinstance(expected, str):
        assert re.search(expected, read)
    else:
        assert read == expected


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl", "parquet", "xlsx"])
def test_rows_that_were_not_accepted_are_left_out_of_every_format(tmp_path, format):
    rows = [
        {"text": text, "spans": json.dumps(spans), "answer": answer}
        for text, spans, answer in zip(SPAN_TEXTS, SPANS, ("accept", "reject"), strict=True)
    ]
    path = write(tmp_path, format, rows)
    accepted, rejected = pipeline(path, Columns(), "ner")
    assert (accepted, rejected[2]) == (READ_SPANS[0], "not_accepted")
    with pytest.warns(UserWarning, match="rows that were not accepted are left out: row 2"):
        assert python(path, Columns(), "ner") == READ_SPANS[:1]
    records, read = Reading().rows(str(path))
    assert are_rejected(Reading().fields("ner", records), read) == [False, True]


def test_a_row_after_one_that_was_not_accepted_keeps_its_number(tmp_path):
    rows = [
        {"text": "good day", "label": "greeting", "answer": "reject"},
        {"text": "goodbye", "label": "parting", "answer": "accept"},
        {"text": "what", "label": {"other": 1}, "answer": "accept"},
    ]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    with pytest.warns(UserWarning, match="row 1"), pytest.raises(ValueError, match="label of row 3"):
        read_examples(path)


def test_spans_of_a_path_that_are_changed_or_left_out_are_told(tmp_path):
    rows = [
        {"text": "Eve moved", "spans": [[0, 2, "PER"]]},
        {"text": "Bob", "spans": [], "answer": "reject"},
    ]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    with pytest.warns(UserWarning, match="row") as warned:
        examples = read_examples(path, task_type="ner")
    assert examples == ([["Eve", "moved"]], [["B-PER", "O"]], None)
    assert [str(each.message) for each in warned] == [
        "rows that were not accepted are left out: row 2",
        "spans begin or end inside a word, and the whole word is learned: row 1",
    ]


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
BY_COLUMNS = '{"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}'


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
    read = check_doors(tmp_path / name)
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
    assert check_doors(path, columns=Columns(label="answer")) == [
        ("it is red", None, "reject"),
        ("it is fine", None, "accept"),
    ]
    reading = Reading(label="answer")
    records, read = reading.rows(str(path))
    assert answered(reading.fields("text-classification", records), read).numbers == [1, 2]
