"""Rows are written as they were read, in every format; invalid ones raise an error with their line."""

import bz2
import datetime
import gzip
import io
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.cli.entity_fields import EntityFields
from metamapping.cli.fields import Fields
from metamapping.cli.input_source import input_source
from metamapping.cli.records import format_of, open_records
from metamapping.cli.writing import write_records

ROWS = [
    {"id": "1", "text": 'she said "no", twice', "label": "a b"},
    {"id": "2", "text": "ünïcode — ﷺ 🙂", "label": ""},
]
SENTENCES = [
    {"words": ["anna", "lives"], "tags": ["B-PER", "O"]},
    {"words": ["rome"], "tags": ["B-LOC"]},
]


def read(path, given=None, source=None):
    with open_records(str(path), given, source or input_source()) as records:
        return list(records.rows)


def rewrite(path, out, source=None, **added):
    """Read a file and write it again, with the same values added to each row."""
    with open_records(str(path), None, source or input_source()) as records:
        write_records(
            (with_values(row, added) for row in records.rows),
            str(out),
            format_of(str(out)),
            columns=(*records.columns, *added) if records.columns else (),
            header=None if records.header is None else records.header and (*records.header, *added),
            delimiter=records.delimiter,
        )
    return out.read_text()


def with_values(row, added):
    row.update({name: value(row) for name, value in added.items()})
    return row


def standard_input(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    "name", ["rows.csv", "rows.tsv", "rows.jsonl", "rows.parquet", "rows.csv.gz", "r.jsonl.zst"]
)
def test_rows_are_read_as_they_were_written(tmp_path, name):
    place = tmp_path / "new folder" / name
    write_records(ROWS, str(place), format_of(name))
    assert read(place) == ROWS


def test_sentences_of_conll_are_read_as_they_were_written(tmp_path):
    write_records(SENTENCES, str(tmp_path / "s.conll"), "conll")
    assert read(tmp_path / "s.conll") == SENTENCES


def test_a_json_array_is_read(tmp_path):
    assert read(write(tmp_path / "r.json", json.dumps(ROWS, indent=2))) == ROWS
    with pytest.raises(ValueError, match="line 1 is 3: write one JSON object per line"):
        read(write(tmp_path / "r.json", "[3]"))


def test_sentences_may_have_no_tags(tmp_path):
    place = write(tmp_path / "s.conll", "-DOCSTART-\n\nanna\nlives\n\nrome\n")
    assert read(place) == [{"words": ["anna", "lives"]}, {"words": ["rome"]}]


def test_a_prediction_is_the_last_column_of_conll(tmp_path):
    rows = [{**SENTENCES[0], "prediction": ["O", "O"]}]
    write_records(rows, str(tmp_path / "s.conll"), "conll")
    assert (tmp_path / "s.conll").read_text() == "anna\tB-PER\tO\nlives\tO\tO\n\n"


def test_a_byte_order_mark_and_windows_line_breaks_are_dropped(tmp_path):
    place = write(tmp_path / "rows.csv", "\ufefftext,label\r\nhello,a\r\n")
    assert read(place) == [{"text": "hello", "label": "a"}]


def test_parquet_keeps_the_types_of_its_columns(tmp_path):
    schema = pa.schema([("id", pa.int16()), ("text", pa.large_string()), ("score", pa.float32())])
    pq.write_table(pa.table([[1, 2], ["a", "b"], [0.5, None]], schema=schema), tmp_path / "in.parquet")
    with open_records(str(tmp_path / "in.parquet")) as records:
        rows = ({**row, "prediction": "x"} for row in records.rows)
        write_records(rows, str(tmp_path / "out.parquet"), "parquet", schema=records.schema)
    written = pq.read_table(tmp_path / "out.parquet")
    assert written.schema == schema.append(pa.field("prediction", pa.string()))
    assert written.column("score").to_pylist() == [0.5, None]


def test_a_parquet_column_of_missing_predictions_has_the_type_string(tmp_path):
    write_records([{"prediction": None}], str(tmp_path / "out.parquet"), "parquet")
    assert pq.read_schema(tmp_path / "out.parquet").field("prediction").type == pa.string()


def test_half_of_a_surrogate_pair_is_read_as_it_was_written(tmp_path):
    rows = [{"text": "\ud800 half"}]
    write_records(rows, str(tmp_path / "out.jsonl"), "jsonl")
    assert read(tmp_path / "out.jsonl") == rows


def test_csv_has_values_other_than_texts_as_json(tmp_path):
    row = {"day": datetime.date(2026, 1, 31), "count": 3, "sure": True, "words": ["a", "b"], "more": {"k": 1}}
    write_records([row], str(tmp_path / "out.csv"), "csv")
    assert list(read(tmp_path / "out.csv")[0].values()) == ["2026-01-31", "3", "true", "a b", '{"k": 1}']


def test_standard_input_and_output_are_streams(monkeypatch, capsysbinary):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n\n{"text": "b"}\n')))
    write_records(read("-"), "-", format_of("-", "csv"))
    assert capsysbinary.readouterr().out == b"text\na\nb\n"


def test_the_suffix_has_precedence_over_the_option():
    assert format_of("rows.tsv", "csv") == "tsv"
    assert format_of("rows.txt", "csv") == "csv"
    assert format_of("-") == "jsonl"


def test_an_empty_file_keeps_its_header(tmp_path):
    with open_records(str(write(tmp_path / "in.csv", "text,label\n"))) as records:
        write_records(records.rows, str(tmp_path / "out.csv"), "csv", columns=records.columns)
    assert (tmp_path / "out.csv").read_text() == "text,label\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rows.csv", "text,label\na,b\nc\n", "line 3 has 1 fields, but the first line names 2 columns"),
        ("rows.csv", 'text,label\n"a,b\n', "the quote opened in line 2 never closes"),
        ("rows.jsonl", '{"text": "a"}\n{"text": \n', "line 2 is not valid JSON"),
        ("rows.jsonl", "[1, 2]\n", "line 1 is .*: write one JSON object per line"),
        ("rows.conll", "anna B-PER\nlives\n", "has a word without a tag"),
        ("rows.parquet", "PAR1 not really", "is not a readable parquet file"),
        ("rows.txt", "a", "does not tell its format: set `format` .*--format"),
    ],
)
def test_the_error_of_an_unreadable_row_names_its_line(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / name, text))


def test_bytes_that_are_not_utf_8_are_rejected_with_encodings_that_fit(tmp_path, monkeypatch):
    place = write(tmp_path / "rows.csv", "text\nGrüße\n", encoding="latin-1")
    with pytest.raises(ValueError, match=r"rows.csv is not utf-8: byte 0xFC .*--encoding\) .*such as cp1252"):
        read(place)
    assert read(place, source=input_source(encoding="cp1252")) == [{"text": "Grüße"}]
    standard_input(monkeypatch, place.read_bytes())
    with pytest.raises(ValueError, match=r"standard input is not utf-8 .*--encoding cp1252"):
        read("-", "csv")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*rows.csv: check its path"):
        read(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        ([{"text": "a\tb"}], "out.tsv", "row 1 has a tab .*: write CSV"),
        ([{"text": "a"}, {"text": "b", "id": 3}], "out.csv", "row 2 has id, which .*: write JSONL"),
        ([{"text": "a"}], "out.conll", "row 1 has no 'words', but text"),
        ([{"words": ["a"]}, {"words": ["a", " "]}], "out.conll", "row 2 has ' ', which CoNLL cannot"),
        ([{"words": ["went\tto"], "tags": ["O"]}], "out.conll", r"row 1 has 'went\\tto' 'O', which CoNLL"),
        ([{"words": ["a\nb"]}], "out.conll", "row 1 has .* which CoNLL cannot represent"),
        ([{"words": ["New York"]}], "out.conll", "row 1 has 'New York', which CoNLL cannot represent"),
        ([{"words": ["-DOCSTART-"], "tags": ["O"]}], "out.conll", "row 1 has '-DOCSTART-' 'O', which CoNLL"),
        ([{"words": [""], "tags": ["O"]}], "out.conll", "row 1 has '' 'O', which CoNLL"),
        ([{"words": []}], "out.conll", "row 1 has no words"),
        ([{"words": ["a", "b"], "tags": ["O"]}], "out.conll", "row 1 has 2 words but 1 tags"),
    ],
)
def test_a_row_that_a_format_cannot_represent_is_an_error(tmp_path, rows, name, message):
    with pytest.raises(ValueError, match=message):
        write_records(rows, str(tmp_path / name), format_of(name))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_existing_file(tmp_path):
    place = write(tmp_path / "out.csv", "older")
    with pytest.raises(ValueError, match="row 2"):
        write_records([{"a": 1}, {"b": 2}], str(place), "csv")
    assert place.read_text() == "older"
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("rows", [[{"text": ""}], [{"a\tb": "x"}]])
def test_a_row_that_tsv_cannot_represent_is_an_error(tmp_path, rows):
    with pytest.raises(ValueError, match=r"tsv cannot represent these rows .*: write CSV or JSONL"):
        write_records(rows, str(tmp_path / "out.tsv"), "tsv")


def test_the_error_of_a_truncated_compressed_file_names_it(tmp_path):
    write_records(ROWS * 500, str(tmp_path / "rows.csv.gz"), "csv")
    place = tmp_path / "cut.csv.gz"
    place.write_bytes((tmp_path / "rows.csv.gz").read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"cut\.csv\.gz is not a readable csv file"):
        read(place)


def test_comments_and_columns_of_conll_are_kept(tmp_path):
    text = (
        "-DOCSTART- -X- -X- O\n\n# sent_id = 1\n# text = Eve moved\nEve NNP B-NP B-PER\nmoved VBD B-VP O\n\n"
        "# sent_id = 2\nBob NNP B-NP B-PER\n\n# the end\n"
    )
    place = write(tmp_path / "in.conll", text)
    assert read(place)[0] == {
        "words": ["Eve", "moved"],
        "tags": ["B-PER", "O"],
        "1": ["NNP", "VBD"],
        "2": ["B-NP", "B-VP"],
    }
    expected = text.replace("B-PER\n", "B-PER X\n").replace("B-VP O\n", "B-VP O X\n")
    predicted = rewrite(place, tmp_path / "out.conll", prediction=lambda row: ["X"] * len(row["words"]))
    assert predicted == expected


def test_comments_before_bare_words_are_kept(tmp_path):
    place = write(tmp_path / "in.conll", "# sent_id = 7\nAnna\nwent\n\n\n#\n#done\n")
    assert [row["words"] for row in read(place)] == [["Anna", "went"], ["#", "#done"]]
    predicted = rewrite(place, tmp_path / "out.conll", prediction=lambda row: ["O"] * len(row["words"]))
    assert predicted == "# sent_id = 7\nAnna\tO\nwent\tO\n\n\n#\tO\n#done\tO\n\n"
    assert [row["words"] for row in read(tmp_path / "out.conll")] == [["Anna", "went"], ["#", "#done"]]


def test_columns_of_conll_are_chosen_by_number_also_in_tsv_files(tmp_path):
    text = "#\thttp://example.org/a [2009-10-17]\n1\tAnna\tB-PER\tO\n2\tlebt\tO\tO\n3\thier\tO\tO\n"
    place = write(tmp_path / "in.tsv", text)
    (row,) = read(place, "conll", input_source(text="1", label="2"))
    assert row == {
        "words": ["Anna", "lebt", "hier"],
        "tags": ["B-PER", "O", "O"],
        "0": ["1", "2", "3"],
        "3": ["O", "O", "O"],
    }
    with pytest.raises(ValueError, match=r"line 2 has 4 fields, .*to conll, if each line is a word"):
        read(place)
    with pytest.raises(ValueError, match=r"in.tsv: the first column numbers the words .*--text 1"):
        read(place, "conll")


def test_words_with_spaces_are_escaped_in_csv_so_that_they_read_back(tmp_path):
    words = ["bob", " ", "went\tto", "New York", "", "\n", "[", '["x"]']
    for name in ("out.csv", "out.tsv"):
        write_records([{"words": words}, {"words": ["a", "b"]}], str(tmp_path / name), format_of(name))
        odd, plain = read(tmp_path / name)
        assert EntityFields().texts([odd, plain]) == [words, ["a", "b"]]
        assert plain["words"] == "a b"


def test_a_refused_row_leaves_standard_output_empty(capsysbinary):
    with pytest.raises(ValueError, match="row 2"):
        write_records([{"words": ["a"]}, {"words": ["b c"]}], "-", "conll")
    assert capsysbinary.readouterr().out == b""
    write_records([{"words": ["a"]}], "-", "conll")
    assert capsysbinary.readouterr().out == b"a\n\n"


def test_the_delimiter_of_a_file_is_found_and_kept(tmp_path):
    text = "\ufeffid;message;topic\r\n1;my parcel is late, again;delivery\r\n2;please refund me;refund\r\n"
    place = write(tmp_path / "in.csv", text)
    assert read(place)[0] == {"id": "1", "message": "my parcel is late, again", "topic": "delivery"}
    written = rewrite(place, tmp_path / "out.csv", prediction=lambda row: row["topic"])
    assert written.splitlines()[:2] == [
        "id;message;topic;prediction",
        "1;my parcel is late, again;delivery;delivery",
    ]


def test_a_delimiter_can_be_set(tmp_path):
    place = write(tmp_path / "in.csv", "text:label\na, b:x\n")
    with pytest.raises(ValueError, match=r"line 2 has 2 fields, .*a ',', or set `delimiter` \("):
        read(place)
    assert read(place, source=input_source(delimiter=":")) == [{"text": "a, b", "label": "x"}]
    assert input_source(delimiter="tab").delimiter == "\t"
    with pytest.raises(ValueError, match=r"--delimiter is '::': give one character"):
        input_source(delimiter="::")


def test_columns_without_a_name_are_left_alone(tmp_path):
    text = "v1,v2,,,\nrefund,please refund me,,x,\n"
    place = write(tmp_path / "in.csv", text)
    assert read(place) == [{"v1": "refund", "v2": "please refund me", "2": "", "3": "x", "4": ""}]
    assert rewrite(place, tmp_path / "out.csv") == text


def test_a_name_of_two_columns_names_neither(tmp_path):
    text = "text,id,label,id\nlate again,1,delivery,2\n"
    place = write(tmp_path / "in.csv", text)
    assert read(place) == [{"text": "late again", "1": "1", "label": "delivery", "3": "2"}]
    assert rewrite(place, tmp_path / "out.csv") == text
    with open_records(str(place)) as records:
        fields = Fields("text-classification", label_column="id", header=records.origin)
        with pytest.raises(ValueError, match=r"in.csv has two columns of the name 'id' \("):
            fields.labels(list(records.rows))


def test_a_file_without_a_header_is_written_without_one(tmp_path):
    text = "2,the team won the cup\n3,shares fell today\n"
    place, source = write(tmp_path / "in.csv", text), input_source(header=False)
    rows = read(place, source=source)
    assert rows[0] == {"0": "2", "1": "the team won the cup"}
    assert Fields("text-classification", text_column="1", label_column="0").labels(rows) == ["2", "3"]
    assert Fields("text-classification").texts(rows) == ["2", "3"]
    assert Fields("text-classification").labels(rows) == ["the team won the cup", "shares fell today"]
    added = rewrite(place, tmp_path / "out.csv", source, prediction=lambda row: "x")
    assert added == "2,the team won the cup,x\n3,shares fell today,x\n"


def test_columns_of_a_table_are_found_by_number_and_with_spaces_around_their_names(tmp_path):
    rows = read(write(tmp_path / "in.csv", "text, label\nplease refund me, refund\n"))
    assert Fields("text-classification").labels(rows) == ["refund"]
    assert Fields("text-classification", label_column="-1").labels(rows) == ["refund"]
    with pytest.raises(ValueError, match=r"no column 'kind', but the columns text, ' label': set .*--label"):
        Fields("text-classification", label_column="kind").labels(rows)


def test_compressed_standard_input_is_recognized(monkeypatch):
    for compress in (gzip.compress, bz2.compress, lambda data: pa.compress(data, "zstd", asbytes=True)):
        standard_input(monkeypatch, compress(b'{"text": "a"}\n'))
        assert read("-") == [{"text": "a"}]


def test_words_and_tags_that_differ_are_rejected_with_their_row():
    rows = [{"words": ["Rome"], "tags": ["O"]}, {"words": ["Eve", "moved"], "tags": ["B-PER"]}]
    with pytest.raises(ValueError, match=r"row 2 has 2 words but 1 tags \(B-PER\)"):
        EntityFields().labels(rows)


def test_two_columns_of_tags_need_a_choice(tmp_path):
    place = write(tmp_path / "in.conll", "Eve NNP B-NP B-PER B-PER\nmoved VBD B-VP O B-LOC\n")
    with pytest.raises(ValueError, match=r"column 3 has tags of the task, as the last .*--label 3"):
        EntityFields().labels(read(place))
    rows = read(place, source=input_source(label="3"))
    assert EntityFields(label_column="3").labels(rows) == [["B-PER", "O"]]
    chunks = read(write(tmp_path / "chunks.conll", "Eve NNP B-NP B-PER\nmoved VBD B-VP O\n"))
    assert EntityFields().labels(chunks) == [["B-PER", "O"]]


def test_tsv_is_rewritten_as_comma_separated_csv(tmp_path):
    place = write(tmp_path / "in.tsv", "text\tlabel\na, b\tx\n")
    assert rewrite(place, tmp_path / "out.csv") == 'text,label\n"a, b",x\n'
