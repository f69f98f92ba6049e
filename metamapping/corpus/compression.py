"""Compression: files that are unpacked while they are read, and packed while they are written.

Which compression a file has follows from its suffix, that of a stream from its first bytes. Python reads and
writes gzip and bzip2; the rest needs Arrow, from the extra ``parquet``.

    with open_unpacked(Path("reviews.csv.gz")) as file:
        start = file.read(100)
"""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from metamapping.corpus.parquet_files import needs_parquet_extra

Compression = Literal["gzip", "bz2", "zstd", "lz4", "brotli"]

_SUFFIXES: dict[str, Compression] = {
    ".gz": "gzip",
    ".bz2": "bz2",
    ".zst": "zstd",
    ".lz4": "lz4",
    ".br": "brotli",
}
_STARTS: dict[bytes, Compression] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
}
START_BYTES = max(map(len, _STARTS))
_BUFFER_BYTES = 1 << 20
# What zlib does by default; Python's gzip is slower, and hardly smaller.
_GZIP_LEVEL = 6


def open_unpacked(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked.

    Args:
        path: The file.

    Returns:
        The open file; reading a damaged one raises ``OSError``.

    Raises:
        MissingExtraError: Its compression needs Arrow, which is not installed.
    """
    compression = _SUFFIXES.get(path.suffix.lower())
    if compression is None:
        return path.open("rb", _BUFFER_BYTES)
    if compression in ("zstd", "lz4", "brotli"):
        with needs_parquet_extra(f"{path.name}, which has the compression {compression},"):
            import pyarrow as pa
        stream = pa.input_stream(str(path), compression=compression, buffer_size=_BUFFER_BYTES)
        return cast(BinaryIO, stream)
    opened: Any = gzip.GzipFile(path) if compression == "gzip" else bz2.BZ2File(path)
    return io.BufferedReader(_Unpacking(opened), _BUFFER_BYTES)


def unpacked(stream: Any) -> BinaryIO:
    """A stream, unpacked if its first bytes are those of a compressed file.

    Args:
        stream: An open stream of bytes. It is not closed with what is returned.

    Returns:
        A stream of bytes; reading a damaged one raises ``OSError``.

    Raises:
        MissingExtraError: Its compression needs Arrow, which is not installed.
    """
    if not hasattr(stream, "peek"):
        stream = io.BufferedReader(stream)
    # This waits for the first bytes, not for a full buffer: lines may be typed.
    start = stream.peek(START_BYTES)[:START_BYTES]
    compression = next((name for magic, name in _STARTS.items() if start.startswith(magic)), None)
    if compression is None:
        return cast(BinaryIO, stream)
    if compression in ("zstd", "lz4"):
        with needs_parquet_extra(f"standard input, which has the compression {compression},"):
            import pyarrow as pa
        return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(stream, "r"), compression))
    opened: Any = gzip.GzipFile(fileobj=stream) if compression == "gzip" else bz2.BZ2File(stream)
    return io.BufferedReader(_Unpacking(opened), _BUFFER_BYTES)


def open_packed(path: Path) -> BinaryIO:
    """Open a file for writing, packed as its suffix says.

    Args:
        path: The file, which is created or emptied.

    Raises:
        MissingExtraError: The compression needs Arrow, which is not installed.
    """
    compression = _SUFFIXES.get(path.suffix.lower())
    if compression is None:
        return path.open("wb")
    if compression == "gzip":
        return cast(BinaryIO, gzip.open(path, "wb", compresslevel=_GZIP_LEVEL))
    if compression == "bz2":
        return cast(BinaryIO, bz2.open(path, "wb"))
    with needs_parquet_extra(f"{path.name}, which has the compression {compression},"):
        import pyarrow as pa
    return cast(BinaryIO, pa.output_stream(str(path), compression=compression))


class _Unpacking(io.RawIOBase):
    """A file of Python's own readers, whose errors of damaged files are all ``OSError``."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return the number of bytes."""
        try:
            data: bytes = self._opened.read1(len(buffer))
        except (EOFError, zlib.error) as error:
            raise OSError(str(error)) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._opened.close()
        super().close()
