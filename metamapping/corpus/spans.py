"""Spans: entities given by the characters where they begin and end, and as tags of words.

Input: a text and its spans. Output: the text's words with one BIO tag for each, and back. Offsets count the
characters (code points) of the text, as Python does; the end is the character after the last.

    aligned = align("Eve moved to London.", [Span(0, 3, "PER"), Span(13, 19, "LOC")])
    aligned.words                                   # ["Eve", "moved", "to", "London", "."]
    aligned.tags                                    # ["B-PER", "O", "O", "B-LOC", "O"]
    tagged_spans(aligned.bounds, aligned.tags)      # the spans again

White space at the ends of a span is trimmed. A span that begins or ends inside a word is widened to the whole
word, because a word has one tag. Both are counted. Everything else that does not fit raises ``SpanError``.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from metamapping.corpus.tags import OUTSIDE
from metamapping.corpus.word_bounds import word_bounds

MALFORMED_SPANS = "malformed_spans"
OUT_OF_RANGE = "span_out_of_range"
EMPTY_SPAN = "empty_span"
TEXT_DIFFERS = "span_text_differs"
OTHER_UNIT = "span_counts_other_unit"
OVERLAPPING = "overlapping_spans"


class Span(NamedTuple):
    """An entity in a text.

    Attributes:
        start: Its first character, from 0.
        end: The character after its last.
        label: The type of the entity.
        text: What the source says is written there; ``None`` if it does not say.
    """

    start: int
    end: int
    label: str
    text: str | None = None


class _Unit(NamedTuple):
    """What offsets may count instead of characters: as words, its encoding, and its size in bytes."""

    name: str
    encoding: str
    size: int


_OTHER_UNITS = (
    _Unit("the bytes of UTF-8", "utf-8", 1),
    _Unit("the units of UTF-16, as JavaScript and Java do", "utf-16-le", 2),
)


class SpanError(ValueError):
    """Spans that do not fit their text.

    Args:
        reason: Why a row with these spans is rejected.
        message: What was found, what was expected and how to fix it.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class AlignedText:
    """The words of a text with their tags.

    Attributes:
        words: The words.
        tags: The BIO tag of each word.
        bounds: Start and end of each word in the text; empty if the words came without a text.
        spans: The spans as the source has them, without white space at their ends, in the order of the text.
        num_trimmed: Number of spans from which white space was trimmed.
        widened: The spans that begin or end inside a word, as they are in ``spans``.
    """

    words: list[str]
    tags: list[str]
    bounds: list[tuple[int, int]]
    spans: list[Span]
    num_trimmed: int = 0
    widened: tuple[Span, ...] = ()


def align(text: str, spans: Sequence[Span]) -> AlignedText:
    """Return the words of a text, tagged with its spans.

    Args:
        text: The text.
        spans: Its spans, in any order; equal ones count once.

    Raises:
        SpanError: A span is empty or outside of the text, has another text than the source says, or shares
            words with another; or the spans cut words, which they would not if they counted something else
            than characters.
    """
    aligned = _align(text, spans)
    starts = {start for start, _ in aligned.bounds}
    if not aligned.widened or all(span.start in starts for span in spans):
        return aligned
    if (unit := _unit_of_words(text, spans)) is not None:
        cut = aligned.widened[0]
        raise SpanError(
            OTHER_UNIT,
            f"the span {cut.start} to {cut.end} ({cut.label!r:.40}) begins or ends inside a word: "
            f"{_count_characters(unit)}",
        )
    return aligned


def _align(text: str, spans: Sequence[Span]) -> AlignedText:
    bounds = word_bounds(text)
    starts, ends = [start for start, _ in bounds], [end for _, end in bounds]
    tags = [OUTSIDE] * len(bounds)
    kept: list[Span] = []
    widened: list[Span] = []
    num_trimmed = last = 0
    for span in sorted(dict.fromkeys(spans), key=lambda each: (each.start, each.end, each.label)):
        _check(text, span, spans)
        first, after = bisect_right(ends, span.start), bisect_left(starts, span.end)
        if first >= after:
            raise SpanError(
                EMPTY_SPAN,
                f"the span {span.start} to {span.end} ({span.label!r:.40}) has nothing but white space: "
                "drop it, or correct its offsets",
            )
        trimmed = Span(max(span.start, starts[first]), min(span.end, ends[after - 1]), span.label)
        if kept and first < last:
            raise _overlapping(text, kept[-1], trimmed)
        num_trimmed += trimmed[:2] != span[:2]
        if trimmed[:2] != (starts[first], ends[after - 1]):
            widened.append(trimmed)
        tags[first:after] = [f"B-{span.label}", *[f"I-{span.label}"] * (after - first - 1)]
        kept.append(trimmed)
        last = after
    words = [text[start:end] for start, end in bounds]
    return AlignedText(words, tags, bounds, kept, num_trimmed, tuple(widened))


def align_words(words: Sequence[str], spans: Sequence[Span]) -> AlignedText:
    """Return words, tagged with spans that count words instead of characters.

    Args:
        words: The words.
        spans: Spans whose ``start`` and ``end`` are numbers of words, the end exclusive.

    Raises:
        SpanError: As for ``align``.
    """
    tags = [OUTSIDE] * len(words)
    kept: list[Span] = []
    for span in sorted(dict.fromkeys(spans), key=lambda each: (each.start, each.end, each.label)):
        if not 0 <= span.start < span.end <= len(words):
            raise SpanError(
                OUT_OF_RANGE if span.start < span.end else EMPTY_SPAN,
                f"the span of words {span.start} to {span.end - 1} ({span.label!r:.40}) does not fit the "
                f"{len(words)} words: give the numbers of its first and last word, from 0",
            )
        if kept and span.start < kept[-1].end:
            raise _overlapping(words, kept[-1], span)
        tags[span.start : span.end] = [
            f"B-{span.label}",
            *[f"I-{span.label}"] * (span.end - span.start - 1),
        ]
        kept.append(span)
    return AlignedText(list(words), tags, [], kept)


def tagged_spans(bounds: Sequence[tuple[int, int]], tags: Sequence[str]) -> list[Span]:
    """Return the spans of tagged words.

    Args:
        bounds: Start and end of each word.
        tags: The BIO tag of each word; an `I-` that continues no entity begins one.
    """
    spans: list[Span] = []
    for (start, end), tag, before in zip(bounds, tags, [OUTSIDE, *tags], strict=False):
        if tag == OUTSIDE:
            continue
        if tag.startswith("I-") and before[2:] == tag[2:]:
            spans[-1] = spans[-1]._replace(end=end)
        else:
            spans.append(Span(start, end, tag[2:]))
    return spans


def widened_note(
    texts: Sequence[AlignedText], *, what: str, numbers: Sequence[int] | None = None
) -> str | None:
    """Return a sentence about the spans that were widened, or ``None`` if there are none.

    Args:
        texts: All texts.
        what: What the user calls one of them, such as ``row``.
        numbers: Number of each text. Default: from 0.
    """
    number = sum(len(each.widened) for each in texts)
    if not number:
        return None
    first = next(i for i, each in enumerate(texts) if each.widened)
    text, place = texts[first], first if numbers is None else numbers[first]
    span = text.widened[0]
    inside = [
        word
        for word, (start, end) in zip(text.words, text.bounds, strict=True)
        if start < span.end and span.start < end
    ]
    count = "a span begins or ends" if number == 1 else f"{number} spans begin or end"
    hint = ""
    if number > 1 and all(_ends_one_early(each) for each in texts):
        hint = "; if the ends are the last characters, give the characters after them"
    return (
        f"{count} inside a word, and the whole word is learned (the first is {span.start} to {span.end}, "
        f"{span.label!r:.40}, of {' '.join(inside)!r:.60} in {what} {place}){hint}"
    )


def _ends_one_early(text: AlignedText) -> bool:
    """Whether each span that cuts a word lacks no more than the last character of it."""
    starts, ends = {start for start, _ in text.bounds}, {end for _, end in text.bounds}
    return all(span.start in starts and span.end + 1 in ends for span in text.widened)


def _check(text: str, span: Span, spans: Sequence[Span]) -> None:
    shown = f"the span {span.start} to {span.end} ({span.label!r:.40})"
    if span.start >= span.end:
        raise SpanError(
            EMPTY_SPAN,
            f"{shown} is empty: the end is the character after the last, and greater than the start",
        )
    if not 0 <= span.start < span.end <= len(text):
        unit = _unit_of_words(text, spans) or _unit_of(text, span)
        raise SpanError(
            OUT_OF_RANGE,
            f"{shown} is outside of the text, which has {len(text)} characters: "
            f"{'correct its offsets' if unit is None else _count_characters(unit)}",
        )
    found = text[span.start : span.end]
    if span.text is not None and found.split() != span.text.split():
        unit = _unit_of(text, span)
        fix = "offsets count the characters of this text, from 0" if unit is None else _count_characters(unit)
        raise SpanError(
            TEXT_DIFFERS,
            f"{shown} is {span.text!r:.60} in the source, but the text has {found!r:.60} there: {fix}",
        )


def _count_characters(unit: _Unit) -> str:
    """The sentence that says what spans count and should count."""
    return f"they seem to count {unit.name}: count the characters (code points) of the text"


def _unit_of(text: str, span: Span) -> _Unit | None:
    """What the offsets of a span may count instead of characters."""
    for unit in _OTHER_UNITS:
        data, size = text.encode(unit.encoding, "surrogatepass"), unit.size
        part = data[max(0, size * span.start) : max(0, size * span.end)].decode(unit.encoding, "replace")
        is_likely = (
            len(text) * size < size * span.end <= len(data)
            if span.text is None
            else part.split() == span.text.split()
        )
        if is_likely:
            return unit
    return None


def _unit_of_words(text: str, spans: Sequence[Span]) -> _Unit | None:
    """What offsets count, if then all spans begin and end with words."""
    if text.isascii():
        return None
    bounds = word_bounds(text)
    for unit in _OTHER_UNITS:
        sizes = (len(character.encode(unit.encoding, "surrogatepass")) // unit.size for character in text)
        places = list(itertools.accumulate(sizes, initial=0))
        starts, ends = {places[start] for start, _ in bounds}, {places[end] for _, end in bounds}
        if all(span.start in starts and span.end in ends for span in spans):
            return unit
    return None


def _overlapping(text: str | Sequence[str], first: Span, second: Span) -> SpanError:
    if second.start < first.end:
        problem = "overlap"
    else:
        problem = f"have parts of one word, {text[first.start : second.end]!r:.60}"
    return SpanError(
        OVERLAPPING,
        f"the spans {first.start} to {first.end} ({first.label!r:.40}) and {second.start} to {second.end} "
        f"({second.label!r:.40}) {problem}: a word belongs to one entity, so keep one of them",
    )
