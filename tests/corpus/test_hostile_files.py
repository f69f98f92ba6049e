"""A hostile file, or one that is broken in an unusual way, is read or refused with a clear message."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metamapping.config.sources import Columns
from metamapping.corpus.columns import nested_value
from metamapping.corpus.records import read_rows
from metamapping.errors import ConfigError
from tests.corpus.toys import toy_source


def rows_of(path, **how):
    return list(read_rows(toy_source(path, **how)))


def write(path, content):
    path.write_bytes(content)
    return path


def test_a_header_with_a_broken_quote_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"the first line of .* cannot be read"):
        rows_of(write(tmp_path / "a.csv", b'"text"x,label\na,b\n'))


@pytest.mark.parametrize("encoding", ["base64", "zip", "undefined", "rot13", "no such", "a\0b"])
def test_a_codec_that_is_not_a_text_encoding_is_refused(tmp_path, encoding):
    with pytest.raises(ConfigError, match=r"there is no encoding|is not a readable"):
        rows_of(write(tmp_path / "a.csv", b"text,label\na,b\n"), encoding=encoding)


@pytest.mark.parametrize("columns", [Columns(text=-5, label=-1), Columns(text=0, label=-9), Columns(text=7)])
def test_a_sentence_without_a_configured_column_is_malformed(tmp_path, columns):
    (row,) = rows_of(write(tmp_path / "a.conll", b"Ada B-PER\n"), task_type="ner", columns=columns)
    assert row.fault == "malformed_row"


@pytest.mark.parametrize("place", ["a.²", "a.9999999999999999999999", "a.-1"])
def test_an_index_beyond_a_list_has_no_value(place):
    assert nested_value({"a": ["x"]}, place) is None


def endless(path, piece):
    """A file of a few kilobytes that decompresses to 40 MB of text."""
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(40):
            file.write(piece * (1_000_000 // len(piece)))
    return path


@pytest.mark.parametrize(
    ("name", "piece", "message"),
    [
        ("a.csv.gz", b"x", "the row that line 1 belongs to is longer than"),
        ("a.csv.gz", b'"\n",', "the row that line .* belongs to is longer than"),
        ("a.tsv.gz", b"x", "is longer than"),
        ("a.jsonl.gz", b"x", "line 1 is longer than"),
        ("a.jsonl.gz", b"[", "line 1: it is nested too deeply"),
        ("a.json.gz", b'[{"text": "', "line 1: an item has more than"),
        ("a.conll.gz", b"x" * 998 + b" O\n", "the sentence that begins in line 1 is longer than"),
    ],
)
def test_a_row_that_never_ends_is_refused_before_it_fills_the_memory(tmp_path, name, piece, message):
    path = endless(tmp_path / name, piece)
    kind = "ner" if "conll" in name else "text-classification"
    with pytest.raises(ConfigError, match=message):
        rows_of(path, task_type=kind)


def test_values_that_python_cannot_represent_are_refused(tmp_path):
    days = pa.array([2**60], pa.int64()).cast(pa.timestamp("ms"))
    pq.write_table(pa.table({"text": days, "label": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match="is not a readable parquet file"):
        rows_of(tmp_path / "a.parquet")


def test_invalid_utf_8_in_parquet_is_refused(tmp_path):
    broken = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"], pa.binary()).buffers())
    pq.write_table(pa.table({"text": broken, "label": ["a"]}), tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match=r"is not a readable parquet file .*UnicodeDecodeError"):
        rows_of(tmp_path / "a.parquet")


def test_two_columns_with_the_same_name_are_refused(tmp_path):
    table = pa.table([["a"], ["b"], ["c"]], names=["text", "text", "label"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match=r"a.parquet has two columns of the name 'text' \(text, text"):
        rows_of(tmp_path / "a.parquet")


LINES = st.lists(
    st.text(alphabet=st.sampled_from(list("aO-BIPER \t\n\r#=\0\x85\u2028\ud83d😀ب")), max_size=12)
)


@settings(max_examples=200, derandomize=True)
@given(LINES, st.integers(-4, 4), st.integers(-4, 4))
def test_any_lines_are_sentences_of_as_many_words_as_tags(tmp_path_factory, lines, word, tag):
    path = tmp_path_factory.getbasetemp() / "any.conll"
    path.write_bytes("\n".join(lines).encode("utf-8", "replace"))
    for row in rows_of(path, task_type="ner", columns=Columns(text=word, label=tag)):
        assert row.fault is not None or len(row.text) == len(row.label) > 0


@settings(max_examples=200, derandomize=True)
@given(st.sampled_from(["csv", "tsv", "jsonl", "conll", "parquet"]), st.binary(max_size=200))
def test_any_bytes_are_rows_or_refused(tmp_path_factory, kind, content):
    path = tmp_path_factory.getbasetemp() / f"any.{kind}"
    path.write_bytes(content)
    try:
        said = f"{len(rows_of(path))} rows of 'toy'"
    except ConfigError as error:
        said = str(error)
    assert "'toy'" in said
