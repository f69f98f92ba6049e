"""Rows are written as they were read, in every format; invalid ones raise an error with their line."""

import datetime
import io
import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

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


def read(path, given=None):
    with open_records(str(path), given) as records:
        return list(records.rows)


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
        ("rows.csv", 'text,label\n"a,b\n', "line 2 cannot be read .*: fix its quotes"),
        ("rows.csv", "text,text\na,b\n", "names a column twice"),
        ("rows.jsonl", '{"text": "a"}\n{"text": \n', "line 2 is not valid JSON"),
        ("rows.jsonl", "[1, 2]\n", "line 1 is .*: write one JSON object per line"),
        ("rows.conll", "anna B-PER\nlives\n", "has a word without a tag"),
        ("rows.parquet", "PAR1 not really", "is not a readable parquet file"),
        ("rows.txt", "a", "does not follow from its suffix: give --format"),
    ],
)
def test_the_error_of_an_unreadable_row_names_its_line(tmp_path, name, text, message):
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / name, text))


def test_bytes_that_are_not_utf_8_are_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"is not UTF-8 .*iconv -f latin1"):
        read(write(tmp_path / "rows.csv", "text\nGrüße\n", encoding="latin-1"))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*rows.csv: check its path"):
        read(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("rows", "name", "message"),
    [
        ([{"text": "a\tb"}], "out.tsv", "row 1 has a tab .*: write CSV"),
        ([{"text": "a"}, {"text": "b", "id": 3}], "out.csv", "row 2 has id, which .*: write JSONL"),
        ([{"text": "a"}], "out.conll", "row 1 has no 'words', but text"),
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
