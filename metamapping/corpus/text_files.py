"""Text files: opened with their encoding and compression, and read line by line with bounded memory.

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

from metamapping.config.sources import Source
from metamapping.corpus.compression import open_unpacked
from metamapping.errors import ConfigError

# A longer field or line means a broken file (a quote that is never closed, missing line ends), all of
# which would be held in memory.
MAX_FIELD_CHARACTERS = 10_000_000

_START_BYTES = 64
_POINTER = b"version https://git-lfs"
_OTHER_FILES = {
    _POINTER: "a pointer of Git LFS, and not the file itself: fetch it with `git lfs pull`",
    b"PK\x03\x04": "a ZIP archive, as spreadsheets are: unpack it, or set `format` (on the command line "
    "--format) to xlsx",
    b"\xd0\xcf\x11\xe0": "a spreadsheet or document of an old format: save it as .xlsx or CSV",
    b"PAR1": "a Parquet file: set `format` (on the command line --format) to parquet",
    b"<!DOCTYPE html": "a web page, which a download returns that needs a login: download the file again",
}

# What texts are usually encoded in besides UTF-8 and UTF-16. Among more, short texts are often mistaken for
# encodings that nobody uses.
_USUAL = (
    *(f"cp{number}" for number in range(1250, 1257)),
    *("koi8_r", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
)
_WESTERN, _SIMILAR = "cp1252", ("cp1250", "cp1254")  # which have most letters in the same places
_MAX_BYTES = 20_000


@contextmanager
def open_text(path: Path, source: Source) -> Iterator[TextIO]:
    """Open a text file, which may be compressed, and keep its line ends as they are.

    Args:
        path: The file.
        source: What has its encoding and, for error messages, its name.

    Raises:
        ConfigError: The encoding does not exist, or, as it is read, the file unpacks to too much.
    """
    encoding = text_encoding(source)
    with path.open("rb") as file:
        check_start(file.read(_START_BYTES), source, path)
    with (
        open_unpacked(path, source) as stream,
        io.TextIOWrapper(stream, encoding, newline="") as text,
    ):
        yield text


def check_start(start: bytes, source: Source, path: Path) -> None:
    """Check that a file is not obviously something else than its name or the configuration says.

    Args:
        start: Its first bytes.
        source: The source.
        path: The file, for error messages.

    Raises:
        ConfigError: It is a file of another kind; the message says of which.
    """
    for magic, problem in _OTHER_FILES.items():
        if start[: len(magic)].lower() == magic.lower():
            raise ConfigError(f"source {source.name!r}: {path} is {problem}")


def check_pointer(path: Path, source: Source) -> None:
    """Check that a file is not a pointer of Git LFS, whatever its format.

    Args:
        path: The file.
        source: The source.

    Raises:
        ConfigError: It is one.
    """
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if start.startswith(_POINTER):
        check_start(start, source, path)


def text_encoding(source: Source) -> str:
    """Return the name of a source's encoding for Python; UTF-8 may begin with a byte order mark.

    Args:
        source: The source whose ``encoding`` is looked up.

    Raises:
        ConfigError: The encoding does not exist.
    """
    try:
        encoding = codecs.lookup(source.encoding).name
        # This refuses codecs that are not encodings of text, such as base64.
        io.TextIOWrapper(io.BytesIO(), encoding)
    except (LookupError, ValueError) as error:
        raise ConfigError(
            f"source {source.name!r}: there is no encoding {source.encoding!r}: set `encoding` (on the "
            "command line --encoding) to utf-8, latin-1, utf-16 or another one that Python knows"
        ) from error
    return "utf-8-sig" if encoding == "utf-8" else encoding


class BoundedLines:
    """The lines of a file, for readers that may combine several of them to one row.

    The reader calls ``end_row`` after each row. Iterating raises ``ConfigError`` once a row has
    ``MAX_FIELD_CHARACTERS`` and has not ended.

    Args:
        file: The open file.
        source: The source that the file belongs to, for error messages.
        path: The path of the file, for error messages.
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

    def end_row(self) -> None:
        """Count the characters of the next row from zero."""
        self._characters = 0


def numbered_lines(file: TextIO, source: Source, path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number of each line, from 1, and the line without its end.

    Args:
        file: The open file.
        source: The source, for error messages.
        path: The file's path, for error messages.

    Raises:
        ConfigError: A line is longer than ``MAX_FIELD_CHARACTERS``.
    """
    number = 0
    while line := file.readline(MAX_FIELD_CHARACTERS):
        number += 1
        if len(line) == MAX_FIELD_CHARACTERS:
            raise ConfigError(
                f"source {source.name!r}: {path}: line {number} is longer than "
                f"{MAX_FIELD_CHARACTERS} characters: set `format` to the format of the file"
            )
        yield number, line.rstrip("\r\n")


def bad_byte(path: Path, source: Source) -> str:
    """Return an error message about the first byte that the encoding cannot decode.

    Args:
        path: The file, which is read again.
        source: The source with the encoding.
    """
    decoder = codecs.getincrementaldecoder(source.encoding)()
    offset, line = 0, 1
    first_bytes = b""
    with open_unpacked(path, source) as stream:
        while chunk := stream.read(1 << 20):
            first_bytes = first_bytes or chunk
            num_pending = len(decoder.getstate()[0])  # bytes of an incomplete character
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                if not 0 <= error.start < len(error.object):  # Some codecs of Python give no position.
                    break
                byte, start = error.object[error.start], offset - num_pending + error.start
                line += error.object[: error.start].count(b"\n")
                fitting = fitting_encodings(error.object if start else first_bytes)
                return (
                    f"source {source.name!r}: {path} is not {source.encoding}: byte 0x{byte:02X} at "
                    f"offset {start} (line {line}): set `encoding` (on the command line --encoding) to that "
                    f"of the file, such as {' or '.join(fitting)}"
                )
            line += text.count("\n")
            offset += len(chunk)
    return (
        f"source {source.name!r}: {path} is not {source.encoding}: it ends inside a character: "
        "set `encoding` (on the command line --encoding) to that of the file, such as "
        f"{' or '.join(fitting_encodings(first_bytes))}"
    )


def fitting_encodings(data: bytes) -> list[str]:
    """Return common encodings that can decode some bytes of a text, the most likely first.

    Args:
        data: Bytes of the text, which may end inside a character.
    """
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return ["utf-32"]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["utf-16"]
    even, odd = data[::2].count(0), data[1::2].count(0)
    if even + odd > len(data) // 10:  # Every second byte of Latin letters is zero in UTF-16.
        return ["utf-16-le" if odd > even else "utf-16-be"]
    if _decodes(data, "utf-8"):
        return ["utf-8"]
    lines = [line for line in data.splitlines(keepends=True) if not line.isascii()]
    names = _likely_encodings(b"".join(lines)[:_MAX_BYTES])
    if _decodes(data, _WESTERN):
        names = [name for name in names if name != _WESTERN]
        names.insert(0 if not names or names[0] in _SIMILAR else len(names), _WESTERN)
    return names or ["latin-1"]


def _likely_encodings(data: bytes) -> list[str]:
    """The two most likely encodings, by how well what they decode resembles a language."""
    # The package is needed for error messages alone.
    from charset_normalizer import from_bytes

    matches = from_bytes(data, cp_isolation=list(_USUAL))
    return [match.encoding.replace("_", "-") for match in matches][:2]


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeDecodeError:
        return False
    return True
