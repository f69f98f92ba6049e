"""The rows of a run's sources whose labels are contradicted, where the store holds what was found.

The check writes a stage ``label-noise`` for each source, next to the other stages of the corpus, with the
table ``suspicious.csv``. It belongs to a run if it was made of the same cleaned rows.

    suspicious_rows(run)[0]["suggested"]
"""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from metamapping.errors import StoreError
from metamapping.runs.folder import RunFolder
from metamapping.runs.source_data import read_stage, source_rows
from metamapping.storage import remote
from metamapping.storage.artifacts import read_reference

STAGE, TABLE = "label-noise", "suspicious.csv"
_COLUMNS = ("probability", "words", "label", "suggested", "text", "text_pair", "similar")


def suspicious_rows(run: RunFolder) -> list[dict[str, Any]]:
    """Read the suspicious rows of all sources of a run.

    Args:
        run: An opened run.

    Returns:
        The rows with their ``source``, the most probable first; empty where labels were not checked, or what
        was found cannot be read any more.
    """
    examples, found = source_rows(run), {}
    try:
        for folder in remote.list_folders(run.path.parent.parent / "data"):
            if not folder.name.startswith(f"{STAGE}-"):
                continue
            stage, upstream = read_stage(folder)
            reference = read_reference(folder)
            if stage == STAGE and reference is not None and upstream[:1] == [examples.get(reference.name)]:
                found[reference.name] = _read_rows(remote.read_member(folder, TABLE), reference.name)
    except (OSError, ValueError, StoreError):  # the report of a run is no place to fail for it
        return []
    rows = [row for of_source in found.values() for row in of_source]
    return sorted(rows, key=lambda row: -float(row["probability"]))


def _read_rows(data: bytes | None, source: str) -> list[dict[str, Any]]:
    if data is None:
        return []
    texts = dict.fromkeys(_COLUMNS[1:], str)
    table = pd.read_csv(io.BytesIO(data), dtype=texts, keep_default_na=False)
    rows = table.reindex(columns=list(_COLUMNS), fill_value="").to_dict("records")
    return [{"source": source, **{str(name): value for name, value in row.items()}} for row in rows]
