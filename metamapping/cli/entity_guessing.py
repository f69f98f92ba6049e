"""Guessing for named entities: words with a tag each, or texts with spans.

if texts_and_spans := find_texts_and_spans(rows, given):
    guess = guess_spans(path, given, rows, *texts_and_spans, is_whole)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from metamapping.cli.columns import Column, flattened
from metamapping.cli.entity_rows import columns_of
from metamapping.cli.guess import Given, Guess, frequent_length
from metamapping.cli.rows import TAGS, WORDS, NumberedRow, Row, SentenceRow
from metamapping.corpus.columns import nested_value
from metamapping.corpus.span_formats import has_spans, read_entities
from metamapping.corpus.spans import AlignedText, SpanError
from metamapping.corpus.tags import OUTSIDE, entity_types, find_scheme, is_tag
from metamapping.corpus.word_lists import word_list

_WORDS_NAMES = (WORDS, "tokens", "word", "token")
_TAGS_NAMES = (TAGS, "ner_tags", "ner", "labels", "entities", "bio", "tag")


def find_texts_and_spans(rows: Sequence[Row], given: Given) -> tuple[str, str] | None:
    """The names of the columns of texts and of their spans, if there are such.

    Args:
        rows: The first rows.
        given: What is known already.
    """
    if given.task_type not in (None, "ner") or isinstance(rows[0], NumberedRow):
        return None
    text, label = columns_of(rows[0], given.text, given.label)
    values = [(nested_value(row, text), nested_value(row, label)) for row in rows[:100]]
    if not all(isinstance(value, str) and has_spans(value, spans) for value, spans in values):
        return None
    return (text, label) if any(aligned and aligned.spans for aligned in map(_aligned, values)) else None


def guess_spans(path: str, given: Given, rows: Sequence[Row], text: str, label: str, is_whole: bool) -> Guess:
    """A guess for rows of texts with spans.

    Args:
        path: The file.
        given: What is known already.
        rows: The first rows.
        text: The column of the texts.
        label: The column of the spans.
        is_whole: Whether these are all rows.
    """
    texts = [_aligned((nested_value(row, text), nested_value(row, label))) for row in rows]
    aligned = [each for each in texts if each is not None]
    counts = Counter(kind for each in aligned for kind in {span.label for span in each.spans})
    return Guess(
        path=path,
        format=given.format,
        header=True,
        task_type="ner",
        text=text,
        text_pair=None,
        label=label,
        labels=dict(sorted(counts.items())),
        num_rows=len(rows),
        is_whole=is_whole,
        num_words=frequent_length([len(each.words) for each in aligned]),
    )


def _aligned(text_and_spans: tuple[Any, Any]) -> AlignedText | None:
    """The words of a text with their tags; ``None`` if the spans do not fit, so that it will be rejected."""
    try:
        return read_entities(*text_and_spans) if has_spans(*text_and_spans) else None
    except SpanError:
        return None


def find_words_and_tags(columns: Sequence[Column], given: Given) -> tuple[str, str] | None:
    """The names of the columns of words and of tags, if there are such.

    Args:
        columns: All columns.
        given: What is known already.
    """
    if given.task_type not in (None, "ner"):
        return None
    by_name = {column.name.rsplit(".", 1)[-1].lower(): column for column in columns}
    words = given.text or next((by_name[n].name for n in _WORDS_NAMES if n in by_name), None)
    tags = given.label or next((by_name[n].name for n in _TAGS_NAMES if n in by_name), None)
    if words is None or tags is None:
        return None
    column = next((column for column in columns if column.name == tags), None)
    if column is None:
        return None
    found = [_tags(value) for value in column.all_raw[:100]]
    is_tagged = all(row is not None and all(map(_is_any_tag, row)) for row in found)
    has_outside = any(OUTSIDE in row for row in found if row)
    return (words, tags) if given.task_type == "ner" or (is_tagged and has_outside) else None


def guess_words(path: str, given: Given, rows: Sequence[Row], words: str, tags: str, is_whole: bool) -> Guess:
    """A guess for rows of words with a tag each.

    Args:
        path: The file.
        given: What is known already.
        rows: The first rows.
        words: The column of the words.
        tags: The column of the tags.
        is_whole: Whether these are all rows.

    Raises:
        ValueError: No word has a tag.
    """
    flat = [dict(flattened(row)) for row in rows]
    all_tags = [_tags(row.get(tags)) or [] for row in flat]
    if not any(all_tags):
        raise ValueError(f"{path}: its words have no tags: give a file with a tag in the last column")
    scheme = find_scheme(tag for row in all_tags for tag in row)
    counts = Counter(kind for row in all_tags for kind in entity_types(set(row), scheme))
    in_conll = isinstance(rows[0], SentenceRow)
    return Guess(
        path=path,
        format=given.format,
        header=True,
        task_type="ner",
        text=0 if in_conll else words,
        text_pair=None,
        label=-1 if in_conll else tags,
        labels=dict(sorted(counts.items())),
        num_rows=len(rows),
        is_whole=is_whole,
        num_words=frequent_length([len(_tags(row.get(words)) or []) for row in flat]),
    )


def _tags(value: Any) -> list[str] | None:
    if isinstance(value, str):
        return word_list(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return None


def _is_any_tag(tag: str) -> bool:
    return tag == OUTSIDE or is_tag(tag)
