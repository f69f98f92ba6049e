"""Sheets of .xlsx files are read as tables; what they have besides texts is read as CSV would have it."""

import datetime
import io
import sys
import zipfile

import openpyxl
import pytest

from metamapping.adaptation.inputs.inputs import read_examples
from metamapping.cli.reading import Reading
from metamapping.config.sources import Columns
from metamapping.corpus import spreadsheets
from metamapping.corpus.source_checks import check_source
from metamapping.errors import ConfigError
from tests.corpus.toys import records_of, toy_source


def write_book(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def labels_and_texts(source):
    return [(row["text"], row["label"]) for row in records_of(source)]


def read(path, **options):
    reading = Reading(**options)
    records, rows = reading.rows(str(path))
    fields = reading.fields("text-classification", records)
    return list(zip(fields.texts(rows), fields.labels(rows), strict=True))


def test_numbers_dates_and_empty_cells_are_values(tmp_path):
    rows = [
        ["text", "label", "when"],
        ["late again", 1, datetime.datetime(2026, 1, 5)],
        [None, None, None],
        [2024, 2.0, datetime.datetime(2026, 1, 6, 7, 8)],
        [datetime.date(2026, 1, 7), 2.5, "=1/0"],
        ["", 3],
        ["broken", "#N/A"],
    ]
    source = toy_source(write_book(tmp_path / "a.xlsx", Data=rows))
    check_source(source)
    assert [row["line"] for row in records_of(source)] == [2, 4, 5, 6, 7]
    assert labels_and_texts(source) == [
        ("late again", "1"),
        ("2024", "2"),
        ("2026-01-07", "2.5"),
        ("", "3"),
        ("broken", None),
    ]


def test_labels_keep_their_type(tmp_path):
    path = write_book(tmp_path / "a.xlsx", Data=[["text", "label"], ["a", 1], ["b", 2]])
    assert read(path) == [("a", 1), ("b", 2)]
    assert read_examples(path).labels == [1, 2]
    path = write_book(tmp_path / "a.xlsx", Data=[["text", "label"], ["a", True], ["b", False]])
    assert read(path) == [("a", True), ("b", False)]


def test_a_sheet_is_chosen_by_name_or_number(tmp_path):
    sheets = {"Notes": [["made by", "us"]], "Mail": [["text", "label"], ["a", "x"], ["b", "y"]]}
    path = write_book(tmp_path / "a.xlsx", **sheets)
    for sheet in ("Mail", 1, -1):
        assert labels_and_texts(toy_source(path, sheet=sheet)) == [("a", "x"), ("b", "y")]
        assert read(path, sheet=str(sheet)) == [("a", "x"), ("b", "y")]
    with pytest.raises(ConfigError, match=r"has no column 'text', but the columns made by, us: set"):
        check_source(toy_source(path))
    with pytest.raises(ConfigError, match=r"has no sheet 'mail', but Notes, Mail: set `sheet` \("):
        check_source(toy_source(path, sheet="mail"))
    with pytest.raises(ConfigError, match="has no sheet 2, but Notes, Mail"):
        check_source(toy_source(path, sheet=2))


def test_a_sheet_may_have_no_header(tmp_path):
    path = write_book(tmp_path / "a.xlsx", Data=[["x", "late"], ["y", "again"]])
    source = toy_source(path, header=False, columns=Columns(text=1, label=0))
    assert labels_and_texts(source) == [("late", "x"), ("again", "y")]
    assert read(path, no_header=True, text="1", label="0") == [("late", "x"), ("again", "y")]


def test_a_value_beyond_the_header_is_a_fault_of_its_row(tmp_path):
    path = write_book(tmp_path / "a.xlsx", Data=[["text", "label"], ["a", "x"], ["b", "y", "z"]])
    assert [row["fault"] for row in records_of(toy_source(path))] == [None, "malformed_row"]
    with pytest.raises(ValueError, match=r"line 3 has 3 fields, but the first line .*: fix the line$"):
        read(path)


def test_a_stray_value_far_away_fills_no_memory(tmp_path):
    book = openpyxl.Workbook(write_only=False)
    book.active.append(["text", "label"])
    book.active.append(["a", "x"])
    book.active.cell(50_000, 16_384, "stray")
    book.save(tmp_path / "a.xlsx")
    first, stray = records_of(toy_source(tmp_path / "a.xlsx"))
    assert (first["text"], stray["fault"], stray["line"]) == ("a", "malformed_row", 50_000)


def test_wrong_dimensions_do_not_end_a_sheet(tmp_path):
    path = write_book(tmp_path / "a.xlsx", Data=[["text", "label"], ["a", "x"], ["b", "y"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert b'<dimension ref="A1:B3"' in parts[sheet]
    parts[sheet] = parts[sheet].replace(b'<dimension ref="A1:B3"', b'<dimension ref="A1"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert labels_and_texts(toy_source(path)) == [("a", "x"), ("b", "y")]


@pytest.mark.parametrize("content", [b"", b"text,label", b"PK\x03\x04 no zip", b"\xd0\xcf\x11\xe0 encrypted"])
def test_what_is_no_spreadsheet_is_refused(tmp_path, content):
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"a.xlsx is not a readable .xlsx file \(.*\): save it as .xlsx"):
        check_source(toy_source(path))


def test_a_small_file_of_many_bytes_is_refused(tmp_path, monkeypatch):
    path = write_book(tmp_path / "a.xlsx", Data=[["text", "label"], ["a", "x"]])
    monkeypatch.setattr(spreadsheets, "_MAX_UNPACKED_BYTES", 1_000)
    with pytest.raises(ConfigError, match=r"has \d+ bytes when it is unpacked, more than 1000: save"):
        check_source(toy_source(path))


def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    path = write_book(tmp_path / "a.xlsx", Data=[["text", "label"], ["a", "x"]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    for entry_point in (
        lambda: check_source(toy_source(path)),
        lambda: read(path),
        lambda: read_examples(path),
    ):
        with pytest.raises(ValueError, match=r"needs the package openpyxl: .*'metamapping\[excel\]'"):
            entry_point()


def test_a_spreadsheet_is_read_from_standard_input(tmp_path, monkeypatch):
    path = write_book(tmp_path / "a.xlsx", Data=[["text", "label"], ["a", "x"]])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    records, rows = Reading().rows("-", "xlsx")
    assert (records.name, rows) == ("standard input", [{"text": "a", "label": "x"}])
