"""Packed files are read and written by Python where it can, by Arrow otherwise, with the same errors."""

import io
import sys

import pyarrow as pa
import pytest

from metamapping.corpus.compression import open_packed, open_unpacked, unpacked
from metamapping.errors import MissingExtraError
from tests.corpus.toys import toy_source

TEXT = b"text,label\nwhere is my parcel,delivery\n" * 500
SOURCE = toy_source("rows.csv")
SUFFIXES = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


@pytest.mark.parametrize("suffix", ["", *SUFFIXES, ".br"])
def test_a_file_is_read_as_it_was_written(tmp_path, suffix):
    path = tmp_path / f"rows.csv{suffix}"
    with open_packed(path) as file:
        file.write(TEXT)
    assert (path.stat().st_size < len(TEXT)) == bool(suffix)
    with open_unpacked(path, SOURCE) as file:
        assert file.read() == TEXT


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_python_and_arrow_read_the_same(tmp_path, suffix):
    path = tmp_path / f"rows.csv{suffix}"
    with pa.output_stream(str(path), compression=SUFFIXES[suffix]) as file:
        file.write(TEXT)
    with open_unpacked(path, SOURCE) as file:
        assert b"".join(iter(lambda: file.read(1_000), b"")) == TEXT
    assert unpacked(io.BytesIO(path.read_bytes()), SOURCE).read() == TEXT


def test_a_stream_that_is_not_packed_stays_as_it_is():
    assert unpacked(io.BytesIO(TEXT), SOURCE).read() == TEXT
    assert unpacked(io.BytesIO(b""), SOURCE).read() == b""


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"no " + data])
def test_a_damaged_file_raises_an_error_of_the_system(tmp_path, suffix, damage):
    path = tmp_path / f"rows.csv{suffix}"
    with open_packed(path) as file:
        file.write(TEXT)
    path.write_bytes(damage(path.read_bytes()))
    with (
        open_unpacked(path, SOURCE) as file,
        pytest.raises(OSError, match=r"ended before|Not a gzipped|Invalid data"),
    ):
        file.read()


def test_without_arrow_the_message_names_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv.zst"
    with open_packed(path) as file:
        file.write(TEXT)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for use in (lambda path: open_unpacked(path, SOURCE), open_packed):
        with pytest.raises(
            MissingExtraError, match=r"rows\.csv\.zst.* needs pyarrow.*metamapping\[parquet\]"
        ):
            use(path)
    with pytest.raises(MissingExtraError, match=r"standard input.*pip install 'metamapping\[parquet\]'"):
        unpacked(io.BytesIO(b"\x28\xb5\x2f\xfd"), SOURCE)
