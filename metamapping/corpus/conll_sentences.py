"""Sentences of CoNLL files: the lines of each sentence, and the columns of each line.

Input: an open text file. Output: its ``Layout`` and its ``Sentence``s, which have all lines of the file.
Columns are separated by tabs, or by spaces in lines without a tab; there may be two or more. `-DOCSTART-`
lines separate documents. Lines that begin with `#` are comments as in CoNLL-U, unless they have the columns
of a word: in a file of two columns `# text = Ada wrote` is a comment, and `# O` is the word `#`.

    layout, sentences = read_sentences(file, source, path)
    word_column, tag_column = find_columns(layout, source, path)
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from metamapping.config.sources import Source
from metamapping.corpus.tags import is_tag
from metamapping.corpus.text_files import MAX_FIELD_CHARACTERS, numbered_lines
from metamapping.errors import ConfigError, listed

# The layout of a file follows from its first lines: at most so many words, lines and characters.
_HEAD_WORDS, _HEAD_LINES, _HEAD_CHARACTERS = 1_000, 10_000, 1_000_000
_MIN_NUMBERED_WORDS = 3  # `1` and `2` alone may be words

_DOCUMENT = "-DOCSTART-"
_KEY_VALUE = re.compile(r"# [^\t]*=[^\t]*")  # `# sent_id = 7` is a comment in files of any width
_COLUMN_NAMES = re.compile(r"#\s*global\.columns\s*=\s*(.+)")  # CoNLL-U Plus
_RANGE = re.compile(r"[0-9]+[-.][0-9]+")  # `1-2` and `1.1` number no word of CoNLL-U


@dataclass(frozen=True)
class Layout:
    """What the first lines of a file say about all of them.

    Attributes:
        num_columns: Number of columns of most words; 0 if there are no words.
        last_values: The values in the last columns.
        names: The names of the columns, which only CoNLL-U Plus has.
        has_word_numbers: Whether the first column numbers the words of each sentence from 1.
    """

    num_columns: int
    last_values: frozenset[str]
    names: tuple[str, ...]
    has_word_numbers: bool


@dataclass(frozen=True)
class Sentence:
    """The lines of a sentence, with the comments and blank lines before it.

    Attributes:
        line: Number of the line of its first word.
        lines: All lines, without their ends. The last sentence of a file also has the lines that follow it.
        fields: The columns of each of these lines; ``None`` for lines that are not words.
    """

    line: int
    lines: list[str]
    fields: list[list[str] | None]

    @property
    def words(self) -> list[list[str]]:
        """The columns of the words."""
        return [fields for fields in self.fields if fields is not None]


def read_sentences(file: TextIO, source: Source, path: Path) -> tuple[Layout, Iterator[Sentence]]:
    """Read the sentences of a file with all of its lines, including comments.

    Args:
        file: The open file.
        source: The source, for error messages.
        path: The file's path, for error messages.

    Returns:
        The layout of the file, and its sentences. The lines of all sentences are the lines of the file,
        except for the blank line that ends each sentence.

    Raises:
        ConfigError: While reading: a sentence is too long to be one.
    """
    lines = numbered_lines(file, source, path)
    head: list[tuple[int, str]] = []
    num_words = num_characters = 0
    for number, line in lines:
        head.append((number, line))
        num_words += bool(line) and not line.startswith("#")
        num_characters += len(line) + 1
        if num_words == _HEAD_WORDS or len(head) == _HEAD_LINES or num_characters > _HEAD_CHARACTERS:
            break
    layout = _layout([line for _, line in head])
    return layout, _sentences(itertools.chain(head, lines), layout, source, path)


def find_columns(layout: Layout, source: Source, path: Path) -> tuple[int, int]:
    """Return the numbers of the columns of words and tags.

    Args:
        layout: The layout of the file.
        source: Which columns are words and tags; the first and the last by default.
        path: The file's path, for error messages.

    Raises:
        ConfigError: A column has no such name, or the first column numbers the words and the column of the
            words is not configured.
    """
    if layout.has_word_numbers and source.columns.text is None:
        raise ConfigError(
            f"source {source.name!r}: {path}: the first column numbers the words (1, 2, 3): choose the "
            f"columns of words and tags from 0 to {layout.num_columns - 1}, such as `columns: {{text: 1, "
            f"label: {layout.num_columns - 1}}}` (on the command line --text 1 --label "
            f"{layout.num_columns - 1})"
        )
    text, label = source.columns.text, source.columns.label
    for column in (text, label):
        if isinstance(column, str) and column not in layout.names:
            known = f"the columns {listed(layout.names)}" if layout.names else "columns that have no names"
            raise ConfigError(
                f"source {source.name!r}: {path} has {known}, but `columns` names {column!r:.80}: give the "
                "number of the column, from 0, or -1 for the last (a comment `# global.columns = …` names "
                "columns)"
            )
    return _number(layout, text, default=0), _number(layout, label, default=-1)


def split_line(line: str) -> list[str]:
    """Return the columns of a line, separated by tabs, or by spaces in a line without a tab.

    Args:
        line: The line without its end.
    """
    return line.split("\t") if "\t" in line else [field for field in line.split(" ") if field]


def is_word(line: str, *, is_first: bool) -> bool:
    """Return whether a written line is read as a word.

    Args:
        line: The columns of the word, separated by tabs.
        is_first: Whether it is the first word of its sentence.
    """
    layout = Layout(len(split_line(line)), frozenset(), (), has_word_numbers=False)
    return not _is_between(line) and not _is_comment(line, layout, is_first=is_first)


def _number(layout: Layout, column: str | int | None, *, default: int) -> int:
    if column is None:
        return default
    return layout.names.index(column) if isinstance(column, str) else column


def _layout(lines: list[str]) -> Layout:
    widths: Counter[int] = Counter()
    last_values: set[str] = set()
    names: tuple[str, ...] = ()
    position = longest = 0
    has_word_numbers = True
    for line in lines:
        if _is_between(line):
            position = 0
        elif line.startswith("#"):
            if match := _COLUMN_NAMES.fullmatch(line):
                names = tuple(match[1].split())
        else:
            fields = split_line(line)
            widths[len(fields)] += 1
            last_values.add(fields[-1].strip())
            if not _RANGE.fullmatch(fields[0]):
                position += 1
                longest = max(longest, position)
                has_word_numbers = has_word_numbers and fields[0] == str(position)
    num_columns = widths.most_common(1)[0][0] if widths else 0
    # A sentence of numbers with their tags, such as `1 O` and `2 O`, is not numbered.
    is_numbered_column = num_columns > 2 or not all(is_tag(value) for value in last_values)
    has_word_numbers = (
        has_word_numbers and num_columns > 1 and is_numbered_column and longest >= _MIN_NUMBERED_WORDS
    )
    return Layout(num_columns, frozenset(last_values), names, has_word_numbers)


def _sentences(
    numbered: Iterable[tuple[int, str]], layout: Layout, source: Source, path: Path
) -> Iterator[Sentence]:
    complete: Sentence | None = None  # It waits for the lines that may follow it at the end of the file.
    lines: list[str] = []
    fields: list[list[str] | None] = []
    start = length = 0  # The line of the first word; 0 before it.
    for number, line in numbered:
        if start and _is_between(line):
            if complete:
                yield complete
            complete = Sentence(start, lines, fields)
            lines, fields, start, length = [], [], 0, 0
            if not line.startswith(_DOCUMENT):
                continue
        length += len(line) + 1
        if length > MAX_FIELD_CHARACTERS:
            raise ConfigError(
                f"source {source.name!r}: {path}: the sentence that begins in line {start or number} is "
                f"longer than {MAX_FIELD_CHARACTERS} characters: separate sentences by blank lines, or set "
                "`format` to the format of the file"
            )
        lines.append(line)
        if _is_between(line) or _is_comment(line, layout, is_first=not start):
            fields.append(None)
        else:
            fields.append(split_line(line))
            start = start or number
    if start:
        if complete:
            yield complete
        yield Sentence(start, lines, fields)
    elif complete:
        yield Sentence(complete.line, complete.lines + lines, complete.fields + fields)


def _is_between(line: str) -> bool:
    """Whether a line ends a sentence."""
    return not line or line.isspace() or line.startswith(_DOCUMENT)


def _is_comment(line: str, layout: Layout, *, is_first: bool) -> bool:
    """Whether a line is a comment and not a word that begins with `#`.

    Args:
        line: The line.
        layout: The layout of the file.
        is_first: Whether no word of the sentence has been read; CoNLL-U has comments only there.
    """
    if not line.startswith("#"):
        return False
    if _KEY_VALUE.fullmatch(line):
        return True
    fields = split_line(line)
    if len(fields) != (layout.num_columns or len(fields)):
        return is_first or fields[0] == "#"
    if len(fields) < 2:
        return not layout.num_columns
    last = fields[-1].strip()
    if not is_first or is_tag(last) or last in layout.last_values:
        return False
    # `# Sentence` in a file with spaces, and `#<tab>http://… [2009-10-17]` in a file with tabs.
    return "\t" not in line or " " in last
