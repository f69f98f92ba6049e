"""Text files: opened whatever their encoding and compression, and read line by line.

with open_text(path, source) as file:
    for number, line in numbered_lines(file, source, path):
        ...
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from metamapping.config.sources import Source
from metamapping.errors import ConfigError

# A longer field or line is a broken file (a quote that never closes, a missing line end), and would
# otherwise be held in memory whole.
MAX_FIELD_CHARACTERS = 10_000_000


@contextmanager
def open_text(path: Path, source: Source) -> Iterator[TextIO]:
    """The file as text, its line ends as they are. Raises ``ConfigError`` on an unknown encoding."""
    try:
        encoding = codecs.lookup(source.encoding).name
        io.TextIOWrapper(io.BytesIO(), encoding)  # base64 and its like are codecs, but of no text
    except (LookupError, ValueError) as error:
        raise ConfigError(
            f"source {source.name!r}: there is no encoding {source.encoding!r}: set `encoding` to utf-8, "
            "latin-1, utf-16 or another one that Python knows"
        ) from error
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding  # with or without a byte order mark
    with (
        pa.input_stream(str(path), compression="detect", buffer_size=1 << 20) as stream,
        io.TextIOWrapper(stream, encoding, newline="") as text,
    ):
        yield text


class BoundedLines:
    """A file's lines, for readers that take several of them for one row.

    ``row_ends`` tells that a row is whole; one that takes ``MAX_FIELD_CHARACTERS`` and is not is refused.
    """

    def __init__(self, file: TextIO, source: Source, path: Path) -> None:
        self._file, self._source, self._path = file, source, path
        self._number = self._characters = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(MAX_FIELD_CHARACTERS):
            self._number += 1
            self._characters += len(line)
            if self._characters >= MAX_FIELD_CHARACTERS:
                raise ConfigError(
                    f"source {self._source.name!r}: {self._path}: the row that line {self._number} belongs "
                    f"to is longer than {MAX_FIELD_CHARACTERS} characters: close its quotes, or set `quotes: "
                    "false` or `format` to what the file is"
                )
            yield line

    def row_ends(self) -> None:
        """Begin to count anew."""
        self._characters = 0


def numbered_lines(file: TextIO, source: Source, path: Path) -> Iterator[tuple[int, str]]:
    """Each line without its end, and its number from 1."""
    number = 0
    while line := file.readline(MAX_FIELD_CHARACTERS):
        number += 1
        if len(line) == MAX_FIELD_CHARACTERS:
            raise ConfigError(
                f"source {source.name!r}: {path}: line {number} is longer than "
                f"{MAX_FIELD_CHARACTERS} characters: set `format` to the file's own"
            )
        yield number, line.rstrip("\r\n")


def bad_byte(path: Path, source: Source) -> str:
    """The sentence for the first byte that the encoding cannot read: found by reading again."""
    decoder = codecs.getincrementaldecoder(source.encoding)()
    offset, line = 0, 1
    with pa.input_stream(str(path), compression="detect") as stream:
        while chunk := stream.read(1 << 20):
            waiting = len(decoder.getstate()[0])
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                if not 0 <= error.start < len(error.object):  # some of Python's codecs point nowhere
                    break
                byte, start = error.object[error.start], offset - waiting + error.start
                line += error.object[: error.start].count(b"\n")
                begins = error.object[:2] if start == 0 else b""
                guess = "utf-16" if begins in (b"\xff\xfe", b"\xfe\xff") else "latin-1 or utf-16"
                return (
                    f"source {source.name!r}: {path} is not {source.encoding}: byte 0x{byte:02X} at "
                    f"offset {start} (line {line}): set `encoding` to the file's own, such as {guess}"
                )
            line += text.count("\n")
            offset += len(chunk)
    return (
        f"source {source.name!r}: {path} is not {source.encoding}: it ends inside a character: "
        "set `encoding` to the file's own"
    )
