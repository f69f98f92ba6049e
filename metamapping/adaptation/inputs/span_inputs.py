"""Span inputs: texts of ``ner`` that users pass in as strings, with the spans of their entities.

split_texts(["Eve moved to London."])                  # the words of each string, and their bounds
align_examples(["Eve moved"], [[(0, 3, "PER")]])       # its words and tags
"""

from __future__ import annotations

from typing import Any

from metamapping.corpus.span_formats import has_spans, read_entities
from metamapping.corpus.spans import AlignedText, SpanError
from metamapping.corpus.word_bounds import word_bounds

Bounds = list[tuple[int, int]]


def are_strings(texts: list[Any]) -> bool:
    """Return whether the texts of a ``ner`` task are strings, and not lists of words.

    Args:
        texts: The texts.

    Raises:
        ValueError: Some are strings and others are not.
    """
    strings = [isinstance(text, str) for text in texts]
    if len(set(strings)) > 1:
        other = strings.index(not strings[0])
        raise ValueError(
            f"text {other} is {texts[other]!r:.60}, but text 0 is {texts[0]!r:.60}: for ner give all texts "
            "as strings, or all as lists of words"
        )
    return bool(strings) and strings[0]


def split_texts(texts: list[str]) -> tuple[list[list[str]], list[Bounds]]:
    """Split strings into words.

    Args:
        texts: The strings.

    Returns:
        The words of each string, and their starts and ends in it.
    """
    bounds = [word_bounds(text) for text in texts]
    words = [[text[start:end] for start, end in each] for text, each in zip(texts, bounds, strict=True)]
    return words, bounds


def align_examples(texts: list[Any], labels: list[Any]) -> list[AlignedText] | None:
    """Read examples whose labels are spans.

    Args:
        texts: Strings, or lists of words.
        labels: For strings, lists of spans; for lists of words, lists of tags, or of spans that count words.

    Returns:
        The words and tags of each example; ``None`` if the labels are tags.

    Raises:
        ValueError: Spans cannot be read, or do not fit their text.
    """
    if not are_strings(texts) and not any(map(has_spans, texts, labels)):
        return None
    aligned = []
    for i, (text, label) in enumerate(zip(texts, labels, strict=True)):
        try:
            aligned.append(read_entities(text, label))
        except SpanError as error:
            hint = ""
            if isinstance(label, list | tuple) and label and isinstance(label[0], str):
                hint = "; for tags, give the text as a list of words"
            raise ValueError(f"label {i}: {error}{hint}") from error
    return aligned
