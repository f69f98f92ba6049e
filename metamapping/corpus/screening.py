"""Screening: removes the rows that leak from a source's tokens.

Input: ``tokens`` shards and the leaks of the source. Output: ``tokens`` shards and rejects. Screening is the
last stage, after tokenizing, because leaks depend on all sources of a corpus: adding a source may remove rows
from another, but no source has to be tokenized again for that.

    counts = write_screened(tokens_folder, leaks, folder)
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from metamapping.config.sources import Source
from metamapping.corpus.shards import REJECTS, TOKENS, ParquetFile, ShardWriter, iterate_shards, rejects_of
from metamapping.storage.artifacts import Stage
from metamapping.storage.manifest import fingerprint

_VERSION = 1


def screened_stage(source: Source, tokens: str, leaks: pa.Table) -> Stage:
    """Return the identity of a source's screened tokens.

    Args:
        source: The source.
        tokens: The fingerprint of its tokens.
        leaks: Its leaks, with the schema ``LEAKS``.
    """
    found = fingerprint(leaks.select(["row", "against", "kind"]).to_pylist())
    return Stage("screened", source.name, _VERSION, {"leaks": found}, [tokens])


def write_screened(tokens: str | Path, leaks: pa.Table, folder: Path) -> dict[str, int]:
    """Write the tokens whose rows are not in ``leaks``, and the others as rejects.

    Args:
        tokens: The folder of the source's tokens.
        leaks: The source's leaks, with the schema ``LEAKS``.
        folder: An existing folder.

    Returns:
        The counts ``rows_in``, ``rows_out``, ``rejects`` and ``num_tokens``.
    """
    num_tokens = num_rejects = 0
    reason_of = pc.binary_join_element_wise("leak", leaks["against"], ":")
    with (
        ShardWriter(folder, TOKENS) as shards,
        ParquetFile(folder / "rejects.parquet", REJECTS) as rejects,
    ):
        for batch in iterate_shards(tokens):
            place = pc.index_in(batch["row"], value_set=leaks["row"])
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
