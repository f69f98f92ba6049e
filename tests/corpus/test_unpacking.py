"""A small file that unpacks to gigabytes or more is refused early, and reading takes little memory."""

import gzip
import io
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.cli.records import open_records, read_table
from metamapping.config.sources import Columns
from metamapping.corpus import parquet_files, unpacking
from metamapping.corpus.parquet_files import open_parquet, unpacked_bytes
from metamapping.corpus.records import read_rows
from metamapping.corpus.source_checks import check_source
from metamapping.errors import ConfigError
from tests.corpus.toys import toy_source

ONE_TEXT = "x" * 100_000
BATCH_BYTES = 4_000_000
LONG = b"one more word " * 40


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """Limits of a twentieth of the real ones, so that the files of the tests are small when unpacked, too."""
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 5_000_000)
    monkeypatch.setattr(parquet_files, "BATCH_BYTES", BATCH_BYTES)


def repeated(text, num):
    """An array in which each value is the same text, held once."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(num, np.int32)), pa.array([text]))


def write(path, **columns):
    pq.write_table(pa.table(columns), path, compression="zstd")
    return path


def rows_of(path, **how):
    return list(read_rows(toy_source(path, **how)))


@pytest.fixture(params=["flat", "lists", "structs"])
def bomb(request, tmp_path):
    """A file of a few kilobytes whose rows have up to 10 GB of text, and how it is read."""
    # PyArrow unpacks a dictionary within lists and structs before it writes it.
    num_rows = 100_000 if request.param == "flat" else 300
    texts, labels = repeated(ONE_TEXT, num_rows), repeated("a", num_rows)
    how = {}
    if request.param == "lists":
        offsets = np.arange(num_rows + 1, dtype=np.int32)
        texts, labels = (pa.ListArray.from_arrays(offsets, each) for each in (texts, labels))
        how = {"task_type": "ner", "columns": Columns(text="text", label="label")}
    elif request.param == "structs":
        texts = pa.StructArray.from_arrays([texts], names=["inner"])
        how = {"columns": Columns(text="text.inner", label="label")}
    path = write(tmp_path / "a.parquet", text=texts, label=labels)
    assert path.stat().st_size < 100_000
    return path, how


def test_texts_that_stand_for_gigabytes_are_refused_with_little_memory(bomb):
    path, how = bomb
    before = pa.default_memory_pool().max_memory()
    with pytest.raises(ConfigError, match=r"a\.parquet unpacks to more than 1000 times its size"):
        rows_of(path, **how)
    assert pa.default_memory_pool().max_memory() < before + 4 * BATCH_BYTES


def test_the_command_line_refuses_them_as_well(bomb):
    path, _ = bomb
    with (
        open_records(str(path)) as records,
        pytest.raises(ConfigError, match="more than 1000 times its size"),
    ):
        read_table(records)
    message = f"^{path} unpacks to more than 1000 times its size"
    with pytest.raises(ValueError, match=message), open_records(str(path)) as records:
        list(records.rows)


def test_a_row_that_is_too_large_is_named(tmp_path):
    texts = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array(["short", ONE_TEXT * 41]))
    path = write(tmp_path / "a.parquet", text=texts, label=["a", "b"])
    with pytest.raises(
        ConfigError, match=r"a.parquet: row 2 has 41\d* bytes when it is unpacked, and no row"
    ):
        rows_of(path)


def test_empty_rows_without_end_are_refused_before_one_is_read(tmp_path):
    path = write(tmp_path / "a.parquet", text=pa.nulls(1_000_000, pa.string()))
    with pytest.raises(ConfigError, match="unpacks to more than 1000 times its size"):
        check_source(toy_source(path, columns=Columns(text="text", label="text")))


def test_texts_that_repeat_the_one_before_are_read_few_at_a_time(tmp_path):
    table = pa.table({"text": [ONE_TEXT] * 300, "label": ["a"] * 300})
    encodings = {"text": "DELTA_BYTE_ARRAY", "label": "PLAIN"}
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False, column_encoding=encodings)
    with pytest.raises(ConfigError, match="unpacks to more than 1000 times its size"):
        rows_of(tmp_path / "a.parquet")


def test_what_is_read_is_what_pyarrow_reads(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    words = [
        [f"w{i}" for i in rng.integers(50, size=rng.integers(4))] if rng.random() < 0.9 else None
        for _ in range(700)
    ]
    columns = {
        "text": pa.array([f"text {i // 3}" if i % 7 else None for i in range(700)]),
        "wide": pa.array(["é" * (i % 5) for i in range(700)], pa.large_string()),
        "kept": pa.array([f"{i % 4}" for i in range(700)]).dictionary_encode(),
        "words": pa.array(words),
        "map": pa.array([[("k", str(i))] for i in range(700)], pa.map_(pa.string(), pa.string())),
        "inner": pa.array([{"t": f"{i % 9}", "n": i} if i % 11 else None for i in range(700)]),
        "number": pa.array(range(700)),
        "time": pa.array(range(700), pa.timestamp("ns")),
        "delta": pa.array([f"text {i}" for i in range(700)]),
        "lengths": pa.array([f"text {i}" for i in range(700)]),
    }
    path = tmp_path / "a.parquet"
    # Small dictionaries: the columns begin with one, and end without.
    pq.write_table(
        pa.table(columns),
        path,
        row_group_size=300,
        dictionary_pagesize_limit=60,
        write_batch_size=16,
        use_dictionary=["text", "wide", "kept", "words.list.element", "inner.t"],
        column_encoding={"delta": "DELTA_BYTE_ARRAY", "lengths": "DELTA_LENGTH_BYTE_ARRAY"},
    )
    monkeypatch.setattr(parquet_files, "BATCH_BYTES", 2_000)
    with open_parquet(path, toy_source(path), path) as file:
        table = file.read()
        one = pa.Table.from_batches(file.batches(["words", "text"]))
    expected = pq.read_table(path)
    assert table.schema.equals(expected.schema, check_metadata=True)
    assert table.equals(expected)
    assert one.equals(expected.select(one.column_names))
    assert sorted(one.column_names) == ["text", "words"]


def test_the_size_of_texts_is_known_without_unpacking_them():
    texts = repeated("abcd", 10)
    assert unpacked_bytes(texts) == 10 * 4 + 10 * 8
    lists = pa.ListArray.from_arrays(pa.array([0, 4, 10], pa.int32()), texts)
    assert unpacked_bytes(lists.slice(1)) == 6 * 4 + 6 * 8 + 8


@pytest.mark.parametrize(
    ("suffix", "line"),
    [("csv.gz", LONG + b",a\n"), ("jsonl.gz", b'{"text": "' + LONG + b'", "label": "a"}\n')],
)
def test_a_compressed_text_file_is_refused_once_it_is_far_larger_than_the_file(
    tmp_path, monkeypatch, suffix, line
):
    path = tmp_path / f"a.{suffix}"
    with gzip.open(path, "wb") as file:
        file.write(b"text,label\n" * suffix.startswith("csv") + line * 12_000)
    with pytest.raises(ConfigError, match="unpacks to more than 200 times its size"):
        rows_of(path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    message = r"^standard input unpacks to more than 200 times its size"
    kind = suffix.removesuffix(".gz")
    with pytest.raises(ValueError, match=message), open_records("-", kind) as records:
        list(records.rows)


def test_a_small_compressed_file_may_have_any_ratio(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wb") as file:
        file.write(b"text,label\n" + b"one,a\n" * 10_000)
    assert len(rows_of(tmp_path / "a.csv.gz")) == 10_000


def test_a_spreadsheet_of_zeros_is_refused_before_it_is_read(tmp_path):
    pytest.importorskip("openpyxl")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", b" " * 6_000_000)
    with pytest.raises(ConfigError, match=r"a\.xlsx unpacks to more than 200 times its size"):
        rows_of(tmp_path / "a.xlsx")
