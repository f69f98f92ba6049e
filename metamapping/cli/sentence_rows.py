"""The sentences of CoNLL files as dictionaries, which keep all lines of the file.

columns, rows = read_sentence_rows(file, source, "sentences.conll")
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from metamapping.cli.rows import TAGS, WORDS, Row, SentenceRow
from metamapping.config.sources import Source
from metamapping.corpus.conll import too_few_columns
from metamapping.corpus.conll_sentences import Sentence, find_columns, read_sentences


def read_sentence_rows(text: TextIO, source: Source, name: str) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return the columns of a file, and its sentences.

    Args:
        text: The open file.
        source: Which columns are words and tags; the first and the last by default.
        name: Name of the file for error messages.

    Returns:
        The names of the columns, and one row for each sentence: with words alone if lines have one column.

    Raises:
        ConfigError: A column does not exist.
        ValueError: While reading rows: a line has too few columns.
    """
    layout, sentences = read_sentences(text, source, Path(name))
    word_column, tag_column = find_columns(layout, source, Path(name))
    if layout.num_columns == 1 and source.columns.label is None:
        return (WORDS,), _bare_words(sentences)
    chosen = {column % max(1, layout.num_columns) for column in (word_column, tag_column)}
    others = [number for number in range(layout.num_columns) if number not in chosen]
    rows = _tagged_words(sentences, name, word_column, tag_column, others)
    return (WORDS, TAGS, *map(str, others)), rows


def _tagged_words(
    sentences: Iterator[Sentence], name: str, word_column: int, tag_column: int, others: list[int]
) -> Iterator[Row]:
    numbers = (word_column, tag_column, *others)
    min_columns = max(2, *(number + 1 if number >= 0 else -number for number in numbers))
    for sentence in sentences:
        for line, fields in zip(sentence.lines, sentence.fields, strict=True):
            if fields is not None and len(fields) < min_columns:
                raise ValueError(f"{name}: {too_few_columns(sentence, line, min_columns)}")
        row = SentenceRow()
        row[WORDS] = [line[word_column] for line in sentence.words]
        row[TAGS] = [line[tag_column].strip() for line in sentence.words]
        row.update({str(number): [line[number] for line in sentence.words] for number in others})
        row.sentence = sentence
        yield row


def _bare_words(sentences: Iterator[Sentence]) -> Iterator[Row]:
    for sentence in sentences:
        row = SentenceRow()
        row[WORDS] = [" ".join(line) for line in sentence.words]
        row.sentence = sentence
        yield row
