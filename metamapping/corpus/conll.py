"""CoNLL: files with one word and its tag in each line, and blank lines between sentences.

Input: an open text file. Output: ``Row``s, one for each sentence or one for each entity.

    for row in read_conll(file, source, path):
        print(row.line, row.text, row.label)         # words and tags
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from metamapping.config.sources import Source
from metamapping.corpus.conll_sentences import Sentence, find_columns, read_sentences
from metamapping.corpus.mentions import mentions
from metamapping.corpus.rows import MALFORMED, MALFORMED_TAGS, Row
from metamapping.corpus.tags import MalformedTagError, find_scheme, to_bio

_ROWS_OF_SCHEME = 10_000  # the first sentences, whose tags decide the scheme


def read_conll(file: TextIO, source: Source, path: Path) -> Iterator[Row]:
    """Yield one row for each sentence, with its words and tags.

    A sentence with a line of too few columns is one malformed row.

    Args:
        file: The open file.
        source: Which columns are words and tags; the first and the last by default.
        path: The file's path, for error messages.

    Raises:
        ConfigError: A column does not exist, or a sentence is too long to be one.
    """
    layout, sentences = read_sentences(file, source, path)
    word_column, tag_column = find_columns(layout, source, path)
    min_columns = max(2, *(column + 1 if column >= 0 else -column for column in (word_column, tag_column)))
    for sentence in sentences:
        faulty = [
            line
            for line, fields in zip(sentence.lines, sentence.fields, strict=True)
            if fields is not None and len(fields) < min_columns
        ]
        if faulty:
            good = [fields[word_column] for fields in sentence.words if len(fields) >= min_columns]
            yield Row(
                sentence.line,
                text=" ".join([*faulty, *good]),
                fault=MALFORMED,
                problem=too_few_columns(sentence, faulty[0], min_columns),
            )
            continue
        words = [fields[word_column] for fields in sentence.words]
        yield Row(sentence.line, words, label=[fields[tag_column].strip() for fields in sentence.words])


def too_few_columns(sentence: Sentence, line: str, min_columns: int) -> str:
    """Return a sentence about a line with too few columns.

    Args:
        sentence: The sentence that the line belongs to.
        line: The line.
        min_columns: How many columns it should have.
    """
    return (
        f"the sentence in line {sentence.line} ({line:.40}) has a word without a tag: expected {min_columns} "
        "columns in each line"
    )


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
