"""Screening: removes the rows that leak, or whose label is rejected, from a source's tokens.

Input: ``tokens`` shards, the leaks of the source and its suspicious labels. Output: ``tokens`` shards and
rejects. Screening is the last stage, after tokenizing, because leaks depend on all sources of a corpus:
adding a source may remove rows from another, but no source has to be tokenized again for that.

    counts = write_screened(tokens_folder, leaks, folder, suspicious)
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from metamapping.config.sources import Source
from metamapping.corpus.shards import (
    REJECTS,
    TOKENS,
    ParquetFile,
    ShardWriter,
    iterate_shards,
    rejects_of,
    schema_as_in,
)
from metamapping.storage.artifacts import Stage
from metamapping.storage.manifest import fingerprint

_VERSION = 1

# Rows whose label is rejected, with the label that the other rows of their source suggest.
SUSPICIOUS = pa.schema(
    [pa.field("row", pa.int64(), nullable=False), pa.field("suggested", pa.string(), nullable=False)]
)
NOTHING_SUSPICIOUS = SUSPICIOUS.empty_table()


def screened_stage(
    source: Source, tokens: str, leaks: pa.Table, suspicious: pa.Table = NOTHING_SUSPICIOUS
) -> Stage:
    """Return the identity of a source's screened tokens.

    Args:
        source: The source.
        tokens: The fingerprint of its tokens.
        leaks: Its leaks, with the schema ``LEAKS``.
        suspicious: Its rows whose label is rejected, with the schema ``SUSPICIOUS``.
    """
    settings = {"leaks": fingerprint(leaks.select(["row", "against", "kind"]).to_pylist())}
    if suspicious.num_rows:
        settings["suspicious"] = fingerprint(suspicious.to_pylist())
    return Stage("screened", source.name, _VERSION, settings, [tokens])


def write_screened(
    tokens: str | Path, leaks: pa.Table, folder: Path, suspicious: pa.Table = NOTHING_SUSPICIOUS
) -> dict[str, int]:
    """Write the tokens whose rows are in neither table, and the others as rejects.

    Args:
        tokens: The folder of the source's tokens.
        leaks: The source's leaks, with the schema ``LEAKS``.
        folder: An existing folder.
        suspicious: Its rows whose label is rejected, with the schema ``SUSPICIOUS``.

    Returns:
        The counts ``rows_in``, ``rows_out``, ``rejects`` and ``num_tokens``.
    """
    num_tokens = num_rejects = 0
    # A row that is in both tables is found in the first one.
    rows = pa.chunked_array([*leaks["row"].chunks, *suspicious["row"].chunks], pa.int64())
    reason_of = pa.chunked_array(
        [
            *pc.binary_join_element_wise("leak", leaks["against"], ":").chunks,
            *pc.binary_join_element_wise("suspicious_label", suspicious["suggested"], ":").chunks,
        ],
        pa.string(),
    )
    with (
        ShardWriter(folder, schema_as_in(tokens, TOKENS)) as shards,
        ParquetFile(folder / "rejects.parquet", REJECTS) as rejects,
    ):
        for batch in iterate_shards(tokens):
            place = pc.index_in(batch["row"], value_set=rows)
            kept = batch.filter(place.is_null())
            shards.write(kept)
            num_tokens += pc.sum(pc.list_value_length(kept["token_ids"])).as_py() or 0
            rejected = batch.filter(place.is_valid())
            if rejected.num_rows:
                rejects.write(rejects_of(rejected, reason_of.take(place.drop_null())))
                num_rejects += rejected.num_rows
    rows_out = shards.num_rows
    counts = {"rows_in": rows_out + num_rejects, "rows_out": rows_out, "rejects": num_rejects}
    return counts | {"num_tokens": num_tokens}
