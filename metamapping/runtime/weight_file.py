"""Weight file: where each array lies in a safetensors file, and the arrays themselves without a copy.

weights = WeightFile(folder / "model.safetensors")
weights.entries["bert.pooler.dense.bias"].offset      # bytes from the start of the file
weights.array("bert.pooler.dense.bias")               # float32, mapped into memory
"""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open

from metamapping.errors import StoreError

_LENGTH_BYTES = 8
_FLOAT32 = "F32"


@dataclass(frozen=True)
class WeightEntry:
    """Where one array lies.

    Attributes:
        dtype: The data type as safetensors names it, ``F32`` for float32.
        shape: The number of values along each axis.
        offset: First byte, from the start of the file.
        length: Number of bytes.
        file: Which of several files it is in.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int
    length: int
    file: int = 0


class WeightFile:
    """The arrays of a safetensors file, or of several.

    Args:
        path: The file.
        files: The files that have the arrays, if ``path`` only names them.

    Attributes:
        path: The file.
        entries: Where each array lies, by name.

    Raises:
        StoreError: A file is missing or damaged.
    """

    def __init__(self, path: Path, files: Sequence[Path] | None = None) -> None:
        self.path = path
        self.entries: dict[str, WeightEntry] = {}
        self._bytes: list[mmap.mmap] = []
        for number, each in enumerate([path] if files is None else files):
            try:
                # The library checks the header: that arrays do not overlap, and that they fill the file.
                with safe_open(each, framework="numpy"):
                    pass
                self.entries |= _read_entries(each, number)
                with each.open("rb") as file:
                    self._bytes.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            except Exception as error:  # safetensors raises its own SafetensorError, and OSError
                raise StoreError(f"{each} cannot be read ({error}): it is damaged or incomplete") from error

    def array(self, name: str) -> np.ndarray:
        """An array, read-only and mapped into memory.

        Args:
            name: Its name in the file.

        Raises:
            StoreError: There is no such array, or it is not float32.
        """
        entry = self.entries.get(name)
        if entry is None or entry.dtype != _FLOAT32 or entry.length != 4 * math.prod(entry.shape):
            raise StoreError(f"{self.path}: there is no float32 array {name!r:.80}")
        values = np.frombuffer(self._bytes[entry.file], "<f4", math.prod(entry.shape), entry.offset)
        return values.reshape(entry.shape)

    def release(self) -> None:
        """Give the memory of the pages that were read back to the system; reading an array maps it again."""
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            for each in self._bytes:
                each.madvise(mmap.MADV_DONTNEED)


def _read_entries(path: Path, file_number: int) -> dict[str, WeightEntry]:
    with path.open("rb") as file:
        header_length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = json.loads(file.read(header_length))
    start = _LENGTH_BYTES + header_length
    return {
        name: WeightEntry(
            entry["dtype"],
            tuple(entry["shape"]),
            start + entry["data_offsets"][0],
            entry["data_offsets"][1] - entry["data_offsets"][0],
            file_number,
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }
