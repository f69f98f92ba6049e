"""Files of named entities: tags and spans are read the same through every entry point."""

import json
import re

import pytest

from metamapping.adaptation.inputs.inputs import read_examples
from metamapping.cli.kept_rows import are_rejected
from metamapping.cli.reading import Reading
from metamapping.config.sources import Columns
from tests.corpus.toys import write_jsonl
from tests.entry_points.entry_points import check_entry_points, pipeline, python
from tests.entry_points.files import FORMATS, write

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
    read = check_entry_points(path, columns, "ner")
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
    assert check_entry_points(write(tmp_path, format, rows), task_type="ner") == READ_SPANS
    columns = Columns(text=names[0], label=names[1])
    assert check_entry_points(write(tmp_path, format, rows), columns, "ner") == READ_SPANS


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
    read = check_entry_points(path, task_type="ner")
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
