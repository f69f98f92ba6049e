"""CoNLL: files with one word and its tag in each line, and blank lines between sentences.

In goes an open text file, out come ``Row``s. Columns are separated by tabs, or by spaces in lines without
a tab; there may be two or more. `-DOCSTART-` lines separate documents, `# key = value` lines are comments.

    for row in read_conll(file, source, path):
        print(row.line, row.text, row.label)         # words and tags
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from metamapping.config.sources import Source
from metamapping.corpus.mentions import mentions
from metamapping.corpus.rows import MALFORMED, MALFORMED_TAGS, Row
from metamapping.corpus.tags import MalformedTagError, find_scheme, to_bio
from metamapping.corpus.text_files import MAX_FIELD_CHARACTERS, numbered_lines
from metamapping.errors import ConfigError

_ROWS_OF_SCHEME = 10_000  # the first sentences, whose tags decide the scheme
_COMMENT = re.compile(r"# [^\t]*=[^\t]*")  # `# sent_id = 7`; a `#` alone is a word


def read_conll(file: TextIO, source: Source, path: Path) -> Iterator[Row]:
    """Yield one row for each sentence, with its words and tags.

    A sentence with a line of too few columns is one malformed row.

    Args:
        file: The open file.
        source: Which columns are words and tags; the first and the last by default.
        path: The file's path, for error messages.

    Raises:
        ConfigError: A column has no number, or a sentence is too long to be one.
    """
    word_column = _column(source, source.columns.text, default=0)
    tag_column = _column(source, source.columns.label, default=-1)
    min_columns = max(2, *(column + 1 if column >= 0 else -column for column in (word_column, tag_column)))
    words: list[str] = []
    tags: list[str] = []
    faulty: list[str] = []
    start = length = 0
    for number, line in numbered_lines(file, source, path):
        if not line or line.isspace() or line.startswith("-DOCSTART-"):
            if words or faulty:
                yield _sentence(start, words, tags, faulty)
                words, tags, faulty, length = [], [], [], 0
            continue
        if _COMMENT.fullmatch(line):
            continue
        if not words and not faulty:
            start = number
        length += len(line) + 1
        if length > MAX_FIELD_CHARACTERS:
            raise ConfigError(
                f"source {source.name!r}: {path}: the sentence that begins in line {start} is longer than "
                f"{MAX_FIELD_CHARACTERS} characters: separate sentences by blank lines, or set "
                "`format` to the format of the file"
            )
        fields = line.split("\t") if "\t" in line else [field for field in line.split(" ") if field]
        if len(fields) < min_columns:
            faulty.append(line)
        else:
            words.append(fields[word_column])
            tags.append(fields[tag_column].strip())
    if words or faulty:
        yield _sentence(start, words, tags, faulty)


def read_mentions(file: TextIO, source: Source, path: Path) -> Iterator[Row]:
    """Yield one row for each entity: its sentence, its words, and its type as the label.

    Args:
        file: The open file.
        source: As for ``read_conll``.
        path: The file's path, for error messages.

    Raises:
        ConfigError: As for ``read_conll``.
    """
    rows = read_conll(file, source, path)
    first = list(itertools.islice(rows, _ROWS_OF_SCHEME))
    scheme = find_scheme(tag for row in first if row.fault is None for tag in row.label)
    for row in itertools.chain(first, rows):
        if row.fault is not None:
            yield row
            continue
        try:
            tags = to_bio(row.label, scheme, repair=True)
        except MalformedTagError:
            yield Row(row.line, text=" ".join(row.text), fault=MALFORMED_TAGS)
            continue
        for mention, kind in mentions(row.text, tags):
            yield Row(row.line, " ".join(row.text), mention, kind)


def _column(source: Source, column: str | int | None, *, default: int) -> int:
    if isinstance(column, str):
        raise ConfigError(
            f"source {source.name!r}: CoNLL columns have no names, but `columns` names {column!r}: "
            "give its number, from 0, or -1 for the last"
        )
    return default if column is None else column


def _sentence(line: int, words: list[str], tags: list[str], faulty: list[str]) -> Row:
    if faulty:
        return Row(line, text=" ".join([*faulty, *words]), fault=MALFORMED)
    return Row(line, text=words, label=tags)
