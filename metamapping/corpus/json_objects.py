"""JSON objects: reads them from a file with one object a line, or from one array of objects.

Input: an open text file. Output: its objects, one after the other, so that a file may be larger than memory.
A line or an item that is not an object is yielded with the reason. A file is an array if its first character
is ``[``. A pair ``[text, {"entities": …}]`` of spaCy is an object with the text as ``text``, and an object of
Label Studio or Argilla has the answers of its annotators as columns (``tool_exports``).

    for row in read_objects(file, source, path):
        print(row.line, row.value)
"""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

from metamapping.config.sources import Source
from metamapping.corpus.text_files import MAX_FIELD_CHARACTERS, numbered_lines
from metamapping.corpus.tool_exports import with_answers
from metamapping.errors import ConfigError, one_line

_CHUNK_CHARACTERS = 1 << 20
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder()


class JsonRow(NamedTuple):
    """An object, or in its place what is no object.

    Attributes:
        line: The line in which it begins, from 1.
        value: The object, or ``None``.
        raw: If there is no object, its text.
        error: If there is no object, why.
    """

    line: int
    value: dict[str, Any] | None
    raw: str = ""
    error: str = ""

    @property
    def problem(self) -> str:
        """A sentence about what is no object."""
        hint = ""
        if "Unterminated string" in self.error or "Invalid control character" in self.error:
            hint = r", and line breaks within it as \n"
        elif self.raw.rstrip().endswith("},"):
            hint = ", without a comma after it"
        return f"line {self.line} {self.error}: write one JSON object per line{hint}"


def read_objects(file: TextIO, source: Source, path: Path) -> Iterator[JsonRow]:
    """Yield the objects of a file.

    Args:
        file: The open file.
        source: The source, for error messages.
        path: The file's path, for error messages.

    Raises:
        ConfigError: A line or an item is too long, or an array is not valid beyond some place.
    """
    num_blank = 0
    while (first := file.readline(MAX_FIELD_CHARACTERS)).isspace():
        num_blank += 1
    if first.lstrip().startswith("[") and not _is_pair(first):
        yield from _read_array(file, first, num_blank + 1, source, path)
        return
    head = itertools.chain(itertools.repeat("\n", num_blank), [first])
    for number, line in numbered_lines(cast(TextIO, Replayed(head, file)), source, path):
        if line and not line.isspace():
            row = _row_of_line(number, line)
            if number == num_blank + 1 and row.value is not None and _has_columns(row.value):
                raise ConfigError(
                    f"source {source.name!r}: {path} has one object with the columns of all rows: write one "
                    "object a row (in pandas `to_json(path, orient='records', lines=True)`)"
                )
            yield row


def _has_columns(value: dict[str, Any]) -> bool:
    """Whether an object is a table as pandas writes it by default (`columns`), or by `split`."""
    if set(value) == {"columns", "index", "data"}:
        return True
    return bool(value) and all(
        isinstance(each, dict) and each and all(map(str.isdecimal, each)) for each in value.values()
    )


class Replayed(io.TextIOBase):
    """The lines that were read ahead, followed by the rest of the file.

    Args:
        head: The lines that were read ahead, with their ends.
        rest: The file, after those lines.
    """

    def __init__(self, head: Iterable[str], rest: TextIO) -> None:
        self._head, self._rest = iter(head), rest

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """Return the next line; one that was read ahead is returned whole.

        Args:
            size: Maximum number of characters of a line that is read now; -1 for no limit.
        """
        return next(self._head, None) or self._rest.readline(size)


def _row_of_line(number: int, line: str) -> JsonRow:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return JsonRow(number, None, line, f"is not valid JSON ({error})")
    value = _as_object(value)
    if not isinstance(value, dict):
        return JsonRow(number, None, line, f"is {line:.40}")
    return JsonRow(number, value)


def _is_pair(line: str) -> bool:
    """Whether a line is a whole pair of a text and its annotation, and not the start of an array."""
    try:
        return isinstance(_as_object(json.loads(line)), dict)
    except (ValueError, RecursionError):
        return False


def _as_object(value: Any) -> Any:
    """The object of a pair ``[text, object]`` with the text in it, or of a tool with its answers.

    Anything else is unchanged.
    """
    match value:
        case [str() as text, dict() as annotation] if "text" not in annotation:
            return {"text": text, **annotation}
        case dict():
            return with_answers(value)
    return value


def _read_array(file: TextIO, buffer: str, line: int, source: Source, path: Path) -> Iterator[JsonRow]:
    position = buffer.index("[") + 1
    while True:
        start = cast(re.Match[str], _BETWEEN.match(buffer, position)).end()
        line += buffer.count("\n", position, start)
        buffer, position = buffer[start:], 0
        if buffer.startswith("]"):
            _check_end(file, buffer[1:], line, source, path)
            return
        value, end, buffer = _next_value(file, buffer, line, source, path)
        if end is None:
            continue  # there were only spaces so far
        value = _as_object(value)
        if isinstance(value, dict):
            yield JsonRow(line, value)
        else:
            yield JsonRow(line, None, buffer[:end], f"is {buffer[:end]:.40}")
        line += buffer.count("\n", 0, end)
        position = end


def _next_value(
    file: TextIO, buffer: str, line: int, source: Source, path: Path
) -> tuple[Any, int | None, str]:
    """The value at the start of the buffer, its end, and the buffer with what had to be read for it."""
    size = _CHUNK_CHARACTERS
    while True:
        problem = "the array is not closed"
        if buffer:
            try:
                value, end = _DECODER.raw_decode(buffer)
            except RecursionError:
                raise _invalid("it is nested too deeply", line, source, path) from None
            except ValueError as error:
                problem = one_line(error)
            else:
                # A number at the end of the buffer may continue.
                if end < len(buffer) or isinstance(value, dict | list | str):
                    return value, end, buffer
        if len(buffer) >= MAX_FIELD_CHARACTERS:
            raise _invalid(f"an item has more than {MAX_FIELD_CHARACTERS} characters", line, source, path)
        more = file.read(size)
        if not more:
            raise _invalid(problem, line, source, path)
        if not buffer:
            return None, None, more
        buffer, size = buffer + more, 2 * size


def _check_end(file: TextIO, rest: str, line: int, source: Source, path: Path) -> None:
    while not rest or rest.isspace():
        rest = file.read(_CHUNK_CHARACTERS)
        if not rest:
            return
    raise _invalid(f"something follows the end of the array ({rest.strip():.40})", line, source, path)


def _invalid(problem: str, line: int, source: Source, path: Path) -> ConfigError:
    return ConfigError(
        f"source {source.name!r}: {path} is no valid JSON array: line {line}: "
        f"{problem}; write one array of objects, or one object a line"
    )
