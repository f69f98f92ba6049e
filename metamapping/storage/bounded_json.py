"""Bounded JSON: reads JSON files that others may have written, of limited size and depth.

Input: a path or bytes. Output: the parsed value. Any fault in the text raises a ``ValueError``. The
values themselves are not trusted: the caller validates them.

    manifest = read_json(folder / "manifest.json")
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# A parsed JSON value takes up to thirty times the memory of its text. No file that this package writes
# is larger than this, apart from saved tasks.
MAX_JSON_BYTES = 16_000_000
MAX_TASK_BYTES = 256_000_000  # A saved task contains the texts of its examples.


def read_json(path: Path, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read the value of a JSON file.

    Args:
        path: The file.
        max_bytes: The largest size that is read.

    Raises:
        ValueError: The file is too large, nested too deeply, or not valid JSON.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return parse_json(file.read(max_bytes + 1), max_bytes=max_bytes)


def parse_json(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Parse JSON.

    Args:
        data: The text in UTF-8.
        max_bytes: The largest size that is parsed.

    Raises:
        ValueError: The text is too large, nested too deeply, or not valid JSON.
    """
    if len(data) > max_bytes:
        raise ValueError(f"it has more than {max_bytes} bytes")
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("its values are nested too deeply") from error
