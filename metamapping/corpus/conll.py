"""CoNLL: a word a line, its tag beside it, blank lines between sentences.

Columns are parted by tabs, or by spaces where a line has no tab; there may be two of them or many.
`-DOCSTART-` lines part documents, and `# key = value` lines are comments.

    for row in read_conll(file, source, path):
        print(row.line, row.text, row.label)         # words and tags
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from metamapping.config.sources import Source
from metamapping.corpus.mentions import mentions
from metamapping.corpus.rows import MALFORMED, Row
from metamapping.corpus.text_files import MAX_FIELD_CHARACTERS, numbered_lines
from metamapping.errors import ConfigError

_COMMENT = re.compile(r"# [^\t]*=[^\t]*")  # `# sent_id = 7`; a mere `#` is a word


def read_conll(file: TextIO, source: Source, path: Path) -> Iterator[Row]:
    """Sentences: a word a line, blank lines between; columns parted by tabs, else by spaces."""
    word_column = _column(source, source.columns.text, default=0)
    tag_column = _column(source, source.columns.label, default=-1)
    least = max(2, *(column + 1 if column >= 0 else -column for column in (word_column, tag_column)))
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
                f"{MAX_FIELD_CHARACTERS} characters: part sentences by blank lines, or set `format` to what "
                "the file is"
            )
        fields = line.split("\t") if "\t" in line else [field for field in line.split(" ") if field]
        if len(fields) < least:
            faulty.append(line)
        else:
            words.append(fields[word_column])
            tags.append(fields[tag_column].strip())
    if words or faulty:
        yield _sentence(start, words, tags, faulty)


def read_mentions(file: TextIO, source: Source, path: Path) -> Iterator[Row]:
    """The typed mentions of all sentences, as pairs of sentence and mention."""
    for row in read_conll(file, source, path):
        if row.fault is not None:
            yield row
            continue
        for mention, kind in mentions(row.text, row.label):
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
