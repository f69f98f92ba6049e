"""Shards: the Parquet files that hold examples and their tokens.

Two kinds of shard set, each a folder of ``part-00000.parquet`` … with a manifest:
``examples`` (cleaned text and labels) and ``tokens`` (the same rows with token ids). Rejects stand
beside the examples in ``rejects.parquet``. The schemas are constants; ``docs/data-format.md``
explains each column.

    table = read_shards(reference.path, columns=["token_ids", "label"])
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA_VERSION = 1

EXAMPLES = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),  # number of the record in its source, from 0
        pa.field("text", pa.string(), nullable=False),  # for ner: the words joined by one space
        pa.field("text_pair", pa.string()),
        pa.field("label", pa.string()),  # null for ner
        pa.field("words", pa.list_(pa.string())),  # ner alone
        pa.field("tags", pa.list_(pa.string())),  # ner alone: BIO, one a word
    ]
)

TOKENS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string()),
        pa.field("tags", pa.list_(pa.string())),  # ner: of the words that are left
        pa.field("token_ids", pa.list_(pa.int32()), nullable=False),  # with special tokens, unpadded
        pa.field("segment_ids", pa.list_(pa.int8()), nullable=False),  # 1: the second text of a pair
        pa.field("word_starts", pa.list_(pa.int32())),  # ner: first piece of each word that is left
    ]
)

REJECTS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("line", pa.int64()),  # line of the file, from 1, where files have lines
        pa.field("file", pa.string()),
        pa.field("text", pa.string()),
        pa.field("label", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
    ]
)


def read_shards(folder: str | Path, *, columns: list[str] | None = None) -> pa.Table:
    """All rows of a shard set, in order, memory-mapped."""
    parts = sorted(Path(folder).glob("part-*.parquet"))
    return pa.concat_tables(pq.read_table(part, columns=columns, memory_map=True) for part in parts)
