"""Shards: of bounded size, reproducible to the byte, and readable by other libraries."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metamapping.corpus import shards
from metamapping.corpus.shards import (
    EXAMPLES,
    ShardWriter,
    count_rows,
    iterate_shards,
    read_rows,
    read_shards,
)


def rows(count):
    return pa.table(
        {
            "source": ["toy"] * count,
            "row": range(count),
            "text": [f"text {i % 7}" for i in range(count)],
            "text_pair": pa.nulls(count, pa.string()),
            "label": ["xy"[i % 2] for i in range(count)],
            "words": pa.nulls(count, pa.list_(pa.string())),
            "tags": pa.nulls(count, pa.list_(pa.string())),
        },
        schema=EXAMPLES,
    )


def write(folder, table, rows_at_once):
    folder.mkdir()
    with ShardWriter(folder, EXAMPLES) as writer:
        for start in range(0, table.num_rows, rows_at_once):
            writer.write(table.slice(start, rows_at_once))
    return sorted(folder.glob("*.parquet"))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(shards, "ROWS_PER_GROUP", 10)
    monkeypatch.setattr(shards, "ROWS_PER_SHARD", 25)


def test_the_same_rows_give_the_same_bytes_however_they_are_batched(tmp_path, small):
    first, second = write(tmp_path / "a", rows(93), 7), write(tmp_path / "b", rows(93), 40)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_shards_and_row_groups_are_filled_to_their_limit(tmp_path, small):
    parts = write(tmp_path / "a", rows(93), 40)
    files = [pq.ParquetFile(part).metadata for part in parts]
    assert [file.num_rows for file in files] == [25, 25, 25, 18]
    assert max(file.row_group(i).num_rows for file in files for i in range(file.num_row_groups)) == 10
    assert read_shards(tmp_path / "a").equals(rows(93))
    assert sum(batch.num_rows for batch in iterate_shards(tmp_path / "a")) == 93


def test_no_rows_make_one_empty_shard(tmp_path):
    write(tmp_path / "a", rows(0), 1)
    assert read_shards(tmp_path / "a").num_rows == 0


def test_some_rows_are_read_by_their_numbers(tmp_path, small):
    write(tmp_path / "a", rows(93), 40)
    assert count_rows(tmp_path / "a") == 93
    numbers = np.array([0, 9, 10, 24, 25, 26, 92])
    found = read_rows(tmp_path / "a", numbers, columns=["row", "label"])
    assert found["row"].to_pylist() == numbers.tolist()
    assert found.schema.names == ["row", "label"]
    assert read_rows(tmp_path / "a", numbers[:0], columns=["row"]).num_rows == 0
    write(tmp_path / "b", rows(0), 1)
    assert read_rows(tmp_path / "b", numbers[:0], columns=["row"]).num_rows == count_rows(tmp_path / "b") == 0


def test_the_file_contains_the_schema_and_its_version(tmp_path):
    (part,) = write(tmp_path / "a", rows(3), 3)
    schema = pq.read_schema(part)
    assert schema.names == EXAMPLES.names
    assert schema.metadata == {b"metamapping.kind": b"examples", b"metamapping.schema_version": b"2"}
    assert pq.ParquetFile(part).metadata.row_group(0).column(0).compression == "ZSTD"


def test_pandas_reads_shards(tmp_path):
    import pandas as pd

    write(tmp_path / "a", rows(30), 30)
    assert pd.read_parquet(tmp_path / "a")["label"].value_counts().to_dict() == {"x": 15, "y": 15}


def test_datasets_reads_shards(tmp_path):
    import datasets

    write(tmp_path / "a", rows(30), 30)
    files = str(tmp_path / "a" / "part-*.parquet")
    data = datasets.load_dataset(
        "parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache")
    )
    assert data.num_rows == 30
    assert data[29]["text"] == "text 1"


def test_duckdb_reads_shards(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    write(tmp_path / "a", rows(30), 30)
    query = f"select label, count(*) from '{tmp_path / 'a'}/*.parquet' group by label order by label"
    assert duckdb.sql(query).fetchall() == [("x", 15), ("y", 15)]
