"""JSON files that others may have written: of limited size and depth, refused with one kind of error.

    manifest = read_json(folder / "manifest.json")

Nothing is believed of the values: whoever reads them checks them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# A value of JSON takes up to thirty times the room of its text: a larger file is none of ours.
MAX_JSON_BYTES = 16_000_000
MAX_TASK_BYTES = 256_000_000  # a saved task has its examples' texts


def read_json(path: Path, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """The value of a JSON file.

    Raises ``ValueError`` where it is too large, too deep, or no JSON; ``OSError`` where it cannot be read.
    """
    with path.open("rb") as file:
        return parse_json(file.read(max_bytes + 1), max_bytes=max_bytes)


def parse_json(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """The value of these bytes. Raises ``ValueError``."""
    if len(data) > max_bytes:
        raise ValueError(f"it has more than {max_bytes} bytes")
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("its values are nested too deeply") from error
