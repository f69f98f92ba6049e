"""Parquet in, Parquet out: every column stays as it is, and the predictions are added."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping import MetaMapper
from tests.cli.command import run_cli

TEXTS = ["where is my parcel", "", "i want my money back"]
# One column for each kind of value that Python cannot represent, or not with its type.
COLUMNS = {
    "nulls": pa.nulls(3),
    "large": pa.array([2**63, 2**64 - 1, None], pa.uint64()),
    "small": pa.array([1, None, 3], pa.int8()),
    "half": pa.array(np.array([0.1, np.nan, np.inf], np.float16)),
    "nanoseconds": pa.array([1_700_000_000_123_456_789, None, 1], pa.timestamp("ns", "Europe/Berlin")),
    "far": pa.array([2**62, 0, None], pa.timestamp("us")),
    "times": pa.array([86_399_999_999_999, None, 1], pa.time64("ns")),
    "spans": pa.array([123_456_789, None, 1], pa.duration("ns")),
    "maps": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "lists": pa.array([[1, None], [], None], pa.large_list(pa.uint16())),
    "structs": pa.array([{"a": None}, None, {"a": 2**63}], pa.struct([("a", pa.uint64())])),
    "categories": pa.array(["x", None, "y"]).dictionary_encode(),
    "decimals": pa.array([Decimal("1.10"), None, Decimal("-3.00")], pa.decimal128(38, 2)),
    "bytes": pa.array([b"\xff", None, b""], pa.binary()),
    "strings": pa.array(["x", None, ""], pa.large_string()),
    "a.b": pa.array([1, 2, 3], pa.int32()),
}


@pytest.fixture(scope="module")
def task(tmp_path_factory, published):
    mapper = MetaMapper.from_pretrained(published)
    return mapper.adapt([TEXTS[0], TEXTS[2]], [3, 8]).save(tmp_path_factory.mktemp("tasks") / "task")


@pytest.mark.parametrize("options", [(), ("--proba",), ("--threshold", 1)], ids=str)
def test_every_column_stays_as_it_is(tmp_path, task, options):
    table = pa.table({"text": TEXTS, **COLUMNS}).replace_schema_metadata({"made by": "a test"})
    pq.write_table(table, tmp_path / "in.parquet")
    given = pq.read_table(tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    assert run_cli("predict", task, tmp_path / "in.parquet", "--out", out, *options) == 0
    written = pq.read_table(out)
    assert written.column_names[: len(given.column_names)] == given.column_names
    kept = written.select(given.column_names)
    assert kept.schema.equals(given.schema, check_metadata=True)
    for name in given.column_names:
        for first, second in zip(kept[name].chunks, given[name].chunks, strict=True):
            assert first.equals(second) or name == "half"  # NaN differs from itself
    halves = [each["half"].to_numpy().view(np.uint16) for each in (kept, given)]
    np.testing.assert_array_equal(*halves)
    if options != ("--threshold", 1):
        assert written["prediction"].to_pylist() == [3, None, 8]


def test_a_nested_text_is_found(tmp_path, task):
    texts = [{"body": TEXTS[0], "at": None}, {"body": TEXTS[2], "at": None}]
    table = pa.table({"mail": texts, "count": pa.array([2**63, 1], pa.uint64())})
    pq.write_table(table, tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    assert run_cli("predict", task, tmp_path / "in.parquet", "--out", out, "--text", "mail.body") == 0
    assert pq.read_table(out).drop_columns("prediction") == pq.read_table(tmp_path / "in.parquet")


def test_a_file_without_rows_gets_the_column(tmp_path, task):
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "in.parquet")
    assert run_cli("predict", task, tmp_path / "in.parquet", "--out", tmp_path / "out.parquet") == 0
    assert pq.read_table(tmp_path / "out.parquet").column_names == ["text", "prediction"]


def test_errors_name_the_columns_of_the_file(tmp_path, task, capsys):
    pq.write_table(pa.table({"first": TEXTS, "id": [1, 2, 3]}), tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    assert run_cli("predict", task, tmp_path / "in.parquet", "--out", out) == 2
    assert "in.parquet has no column 'text', but the columns first, id: set" in capsys.readouterr().err
    pq.write_table(pa.table({"text": TEXTS, "prediction": [1, 2, 3]}), tmp_path / "in.parquet")
    assert run_cli("predict", task, tmp_path / "in.parquet", "--out", out) == 2
    assert "row 1 already has a column 'prediction'" in capsys.readouterr().err
    assert not out.exists()
