"""Unpacking: a file that unpacks to far more than its size is refused before it fills memory or disk.

Compression, dictionaries and runs of equal values let a few kilobytes stand for terabytes. Texts that people
wrote unpack to 3 to 30 times their size. What is small when it is unpacked may have any ratio.

    check_unpacked(num_unpacked, num_packed, source, path)
    stream = UnpackedStream(file, "gzip", source, path)     # a readable stream, checked as it is read
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from metamapping.config.sources import Source
from metamapping.errors import ConfigError

SMALL_BYTES = 100_000_000
MAX_RATIO = 200
_SUFFIXES = {".bz2": "bz2", ".gz": "gzip", ".lz4": "lz4", ".zst": "zstd"}


def check_unpacked(
    num_unpacked: int, num_packed: int, source: Source, path: Path, *, max_ratio: int = MAX_RATIO
) -> None:
    """Check that a file does not unpack to far more than its size.

    Args:
        num_unpacked: Number of bytes of its content, so far or in all.
        num_packed: Number of bytes that they were unpacked from.
        source: The source, for error messages.
        path: The file, for error messages.
        max_ratio: How many times as large the content may be.

    Raises:
        ConfigError: It does, and the content is not small.
    """
    if num_unpacked > max(SMALL_BYTES, max_ratio * num_packed):
        raise ConfigError(
            f"source {source.name!r}: {path} unpacks to more than {max_ratio} times its size ({num_unpacked} "
            f"bytes from {num_packed}), as files do that are made to fill the memory: if you trust it, "
            "unpack it and give it as .jsonl or .csv"
        )


class UnpackedStream(io.RawIOBase):
    """The content of a compressed file; reading raises ``ConfigError`` once it is far larger than the file.

    Args:
        packed: The compressed file, open for reading; it is not closed.
        compression: Name of the compression for PyArrow.
        source: The source, for error messages.
        path: The file, for error messages.
    """

    def __init__(self, packed: BinaryIO, compression: str, source: Source, path: Path) -> None:
        self._packed = _Counted(packed)
        self._stream = pa.CompressedInputStream(pa.PythonFile(self._packed, "r"), compression)
        self._num_unpacked = 0
        self._source, self._path = source, path

    def readable(self) -> bool:
        """Return that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there is content, and return the number of bytes."""
        num: int = self._stream.readinto(buffer)
        self._num_unpacked += num
        check_unpacked(self._num_unpacked, self._packed.num_bytes, self._source, self._path)
        return num


class _Counted:
    """A file for PyArrow that counts the bytes that are read."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.num_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.num_bytes += len(data)
        return data

    def close(self) -> None:
        """Leave the file open: whoever opened it closes it."""


def compression_of(path: Path) -> str | None:
    """Return the name of a file's compression for PyArrow by the file's suffix; ``None`` without one.

    Args:
        path: The file.
    """
    return _SUFFIXES.get(path.suffix)
