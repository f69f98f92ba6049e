"""Compression: files that are unpacked while they are read, and packed while they are written.

Which compression a file has follows from its suffix, that of a stream from its first bytes. Python reads and
writes gzip and bzip2; the rest needs Arrow, from the extra ``parquet``. Reading a file that unpacks to far
more than its size raises ``ConfigError`` before that fills memory or disk.

    with open_unpacked(Path("reviews.csv.gz"), source) as file:
        start = file.read(100)
"""

from __future__ import annotations

import bz2
import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from metamapping.config.sources import Source
from metamapping.corpus.arrow_import import needs_parquet_extra
from metamapping.corpus.unpacking import check_unpacked

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
_OF_ARROW = ("zstd", "lz4", "brotli")
START_BYTES = max(map(len, _STARTS))
_BUFFER_BYTES = 1 << 20
# What zlib does by default; Python's gzip is slower, and hardly smaller.
_GZIP_LEVEL = 6


def open_unpacked(path: Path, source: Source) -> BinaryIO:
    """Open a file for reading, unpacked.

    Args:
        path: The file.
        source: The source, for error messages.

    Returns:
        The open file. Reading a damaged one raises ``OSError``, and one that unpacks to too much
        ``ConfigError``.

    Raises:
        MissingExtraError: Its compression needs Arrow, which is not installed.
    """
    compression = _SUFFIXES.get(path.suffix.lower())
    if compression is None:
        return path.open("rb", _BUFFER_BYTES)
    _check_installed(compression, path.name)
    return _buffered(_Unpacked(path.open("rb"), compression, source, path, is_owner=True))


def unpacked(stream: Any, source: Source) -> BinaryIO:
    """Standard input, unpacked if its first bytes are those of a compressed file.

    Args:
        stream: An open stream of bytes. It is not closed with what is returned.
        source: The source, for error messages.

    Returns:
        A stream of bytes; its errors are those of ``open_unpacked``.

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
    _check_installed(compression, "standard input")
    return _buffered(_Unpacked(stream, compression, source, Path("standard input"), is_owner=False))


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


def _check_installed(compression: Compression, name: str) -> None:
    if compression in _OF_ARROW:
        with needs_parquet_extra(f"{name}, which has the compression {compression},"):
            import pyarrow  # noqa: F401


def _buffered(stream: io.RawIOBase) -> BinaryIO:
    return io.BufferedReader(stream, _BUFFER_BYTES)


class _Unpacked(io.RawIOBase):
    """The content of a compressed file. Whatever is damaged raises ``OSError``."""

    def __init__(
        self, packed: BinaryIO, compression: Compression, source: Source, path: Path, *, is_owner: bool
    ) -> None:
        self._packed = _Counted(packed)
        self._opened = _reader(self._packed, compression)
        self._num_unpacked = 0
        self._source, self._path, self._is_owner = source, path, is_owner

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
        self._num_unpacked += len(data)
        check_unpacked(self._num_unpacked, self._packed.num_bytes, self._source, self._path)
        return len(data)

    def close(self) -> None:
        """Close the file, if it was opened for this."""
        if not self.closed:
            self._opened.close()
            if self._is_owner:
                self._packed.file.close()
        super().close()


def _reader(packed: _Counted, compression: Compression) -> Any:
    """What reads the content of a packed file by ``read1``."""
    if compression in _OF_ARROW:
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(packed, "r"), compression)
    file = cast(BinaryIO, packed)
    return gzip.GzipFile(fileobj=file, mode="rb") if compression == "gzip" else bz2.BZ2File(file)


class _Counted:
    """A file that counts the bytes that are read."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.num_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.num_bytes += len(data)
        return data

    def readable(self) -> bool:
        """It is, which Python's bzip2 asks for."""
        return True

    def seekable(self) -> bool:
        """It is not: what has been read stays counted."""
        return False

    def close(self) -> None:
        """Leave the file open: whoever opened it closes it."""
