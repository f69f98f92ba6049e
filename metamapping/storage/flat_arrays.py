"""Flat arrays: files of numbers that grow by batches, and are then mapped into memory.

Input: arrays. Output: a file that holds nothing but their values, one after another. Mapped values take
memory only while they are used, and the system may take it back at any time.

    append_array(folder / "keys", np.array([1, 2], np.uint64))
    map_array(folder / "keys", np.uint64)          # read-only, (num_values,)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa


def append_array(path: Path, values: np.ndarray) -> None:
    """Append values to a file, which is created if it does not exist.

    Args:
        path: The file, in an existing folder.
        values: An array of any shape.
    """
    # On a full disk `values.tofile` loses the last kilobytes without an error.
    with path.open("ab") as file:
        file.write(values.tobytes())


def map_array(path: Path, dtype: Any) -> np.ndarray:
    """Map the values of a file into memory, read-only. Unlike by ``np.memmap``, no file stays open.

    Args:
        path: The file; one that does not exist has no values.
        dtype: The type of the values.

    Returns:
        ``(num_values,)``.
    """
    if not path.exists() or not path.stat().st_size:  # An empty file cannot be mapped.
        return np.empty(0, dtype)
    with pa.memory_map(str(path)) as file:
        return np.frombuffer(file.read_buffer(), dtype)
