"""Spans of characters become tagged words and back; what does not fit is rejected with its reason."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metamapping.corpus.spans import Span, SpanError, align, align_words, tagged_spans, widened_note
from metamapping.corpus.word_bounds import word_bounds

TEXT = "Eve moved to New York."


def words_of(text):
    return [text[start:end] for start, end in word_bounds(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n\t ", []),
        ("Eve's e-mail: $5", ["Eve", "'", "s", "e", "-", "mail", ":", "$", "5"]),
        ("東京に行くABC", ["東", "京", "に", "行", "く", "ABC"]),
        ("한국어 München", ["한국어", "München"]),
        ("a😀b \U0001f468\u200d\U0001f469", ["a😀b", "\U0001f468\u200d\U0001f469"]),
        ("half \ud83d pair", ["half", "\ud83d", "pair"]),
    ],
)
def test_texts_are_split_at_white_space_and_punctuation(text, words):
    assert words_of(text) == words


@given(st.text(alphabet=st.characters(), max_size=60))
def test_every_character_that_is_not_white_space_belongs_to_one_word(text):
    bounds = word_bounds(text)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(bounds))
    inside = {place for start, end in bounds for place in range(start, end)}
    assert all(text[place].isspace() for place in range(len(text)) if place not in inside)


@st.composite
def annotated_texts(draw):
    """A text, and spans that begin and end with its words."""
    text = draw(st.text(alphabet="ab ,.é😀京 \n", max_size=40))
    bounds = word_bounds(text)
    spans, word = [], 0
    while word < len(bounds):
        length = draw(st.integers(0, 3))
        if length:
            last = min(word + length, len(bounds)) - 1
            spans.append(Span(bounds[word][0], bounds[last][1], draw(st.sampled_from(["A", "B", "B-x y"]))))
        word += max(length, 1)
    return text, spans


@given(annotated_texts(), st.randoms())
def test_spans_of_whole_words_come_back_as_they_were(annotated, random):
    text, spans = annotated
    shuffled = random.sample(spans, len(spans))
    aligned = align(text, shuffled)
    assert aligned.words == words_of(text)
    assert tagged_spans(aligned.bounds, aligned.tags) == spans == aligned.spans
    assert aligned.num_trimmed == 0
    assert aligned.widened == ()


@given(st.text(alphabet="ab ,.京\n", min_size=1, max_size=30), st.data())
def test_any_span_is_learned_as_the_words_that_it_touches_or_refused(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    if not text[start:end].strip():
        with pytest.raises(SpanError, match="nothing but white space"):
            align(text, [Span(start, end, "A")])
        return
    try:
        aligned = align(text, [Span(start, end, "A")])
    except SpanError as error:
        reason = error.reason
    else:
        reason = None
    if reason is not None:  # only if it does not begin with a word, and would if it counted the bytes of 京
        assert reason == "span_counts_other_unit"
        assert "京" in text
        assert start not in [each for each, _ in word_bounds(text)]
        return
    ((left, right, _, _),) = tagged_spans(aligned.bounds, aligned.tags)
    touched = [each for each in word_bounds(text) if each[0] < end and start < each[1]]
    assert (left, right) == (touched[0][0], touched[-1][1])
    (span,) = aligned.spans
    assert text[span.start : span.end] == text[start:end].strip()
    assert bool(aligned.num_trimmed) == (text[start:end] != text[start:end].strip())
    assert bool(aligned.widened) == ((left, right) != (span.start, span.end))


def test_white_space_at_the_ends_is_trimmed_and_counted():
    aligned = align(TEXT, [Span(12, 22, "LOC")._replace(end=21), Span(0, 4, "PER")])
    assert aligned.tags == ["B-PER", "O", "O", "B-LOC", "I-LOC", "O"]
    assert aligned.spans == [Span(0, 3, "PER"), Span(13, 21, "LOC")]
    assert aligned.num_trimmed == 2


def test_a_span_that_cuts_a_word_is_widened_and_told():
    aligned = align("Take 5mg twice", [Span(6, 8, "UNIT")])
    assert aligned.words == ["Take", "5mg", "twice"]
    assert aligned.tags == ["O", "B-UNIT", "O"]
    assert aligned.spans == [Span(6, 8, "UNIT")]
    note = widened_note([align("a", []), aligned], what="row", numbers=[1, 2])
    assert note == (
        "a span begins or ends inside a word, and the whole word is learned "
        "(the first is 6 to 8, 'UNIT', of '5mg' in row 2)"
    )
    assert widened_note([align(TEXT, [])], what="row") is None


@pytest.mark.parametrize(
    ("spans", "reason", "message"),
    [
        ([(3, 3, "A")], "empty_span", "3 to 3 .* is empty"),
        ([(5, 3, "A")], "empty_span", "5 to 3 .* is empty"),
        ([(3, 4, "A")], "empty_span", "nothing but white space"),
        ([(-1, 3, "A")], "span_out_of_range", "which has 22 characters: correct its offsets"),
        ([(0, 23, "A")], "span_out_of_range", "0 to 23 .'A'. is outside of the text"),
        ([(0, 10**30, "A")], "span_out_of_range", "outside of the text"),
        ([(0, 9, "A"), (4, 12, "B")], "overlapping_spans", "0 to 9 .'A'. and 4 to 12 .'B'. overlap"),
        ([(0, 21, "A"), (13, 21, "B")], "overlapping_spans", "overlap: a word belongs to one entity"),
        ([(0, 3, "A"), (0, 3, "B")], "overlapping_spans", "overlap"),
        ([(0, 1, "A"), (2, 3, "B")], "overlapping_spans", "have parts of one word, 'Eve'"),
        ([(0, 3, "A", "Bob")], "span_text_differs", "is 'Bob' in the source, but the text has 'Eve' there"),
    ],
)
def test_spans_that_do_not_fit_are_refused_with_the_reason(spans, reason, message):
    with pytest.raises(SpanError, match=message) as error:
        align(TEXT, [Span(*span) for span in spans])
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("spans", "unit"),
    [
        ([(3, 6, "PER"), (13, 17, "LOC"), (25, 29, "LOC")], "units of UTF-16"),
        ([(5, 8, "PER"), (15, 19, "LOC"), (29, 36, "LOC")], "bytes of UTF-8"),
        ([(3, 6, "PER")], "units of UTF-16"),  # inside of the text, but it cuts words
        ([(5, 8, "PER")], "bytes of UTF-8"),
    ],
)
def test_the_unit_of_offsets_is_that_by_which_no_span_cuts_a_word(spans, unit):
    text = "😀 Bob loves Rome 😀 and Łódź"
    with pytest.raises(SpanError, match=f"they seem to count the {unit}"):
        align(text, [Span(*span) for span in spans])
    assert align(text, [Span(2, 5, "PER"), Span(13, 15, "X")]).widened == (Span(13, 15, "X"),)


def test_ends_that_are_the_last_characters_are_told():
    both = [align(TEXT, [Span(0, 2, "PER"), Span(13, 20, "LOC")]), align("no names", [])]
    assert widened_note(both, what="row").endswith(
        "; if the ends are the last characters, give the characters after them"
    )
    assert "last characters" not in widened_note(
        [align(TEXT, [Span(0, 2, "A"), Span(14, 21, "B")])], what="row"
    )


@pytest.mark.parametrize(
    ("text", "span", "unit"),
    [
        ("Zoë met Bob", (9, 12, "PER", "Bob"), "bytes of UTF-8"),
        ("😀 met Bob", (7, 10, "PER", "Bob"), "units of UTF-16, as JavaScript"),
        ("Zoë met Bob!", (9, 12, "PER", "Bob"), "bytes of UTF-8"),
        ("Zoë met Bob", (9, 12, "PER"), "bytes of UTF-8"),
        ("😀 met Bob and 😀 too", (7, 10, "PER", "Bob"), "units of UTF-16"),
    ],
)
def test_offsets_that_count_something_else_are_recognized(text, span, unit):
    with pytest.raises(SpanError, match=f"they seem to count the {unit}.*: count the characters"):
        align(text, [Span(*span)])


def test_the_text_of_a_span_may_have_other_white_space():
    assert align("New\n York", [Span(0, 9, "LOC", "New York")]).tags == ["B-LOC", "I-LOC"]


def test_equal_spans_count_once():
    assert align(TEXT, [Span(0, 3, "A"), Span(0, 3, "A")]).spans == [Span(0, 3, "A")]


def test_neighbours_of_one_type_stay_apart():
    aligned = align("a b", [Span(0, 1, "A"), Span(2, 3, "A")])
    assert aligned.tags == ["B-A", "B-A"]


def test_spans_may_count_words():
    words = ["Bob", "lives", "in", "New York", "now"]
    assert align_words(words, [Span(3, 5, "LOC"), Span(0, 1, "PER")]).tags == [
        "B-PER",
        "O",
        "O",
        "B-LOC",
        "I-LOC",
    ]
    for span, reason in [
        ((3, 6), "span_out_of_range"),
        ((2, 2), "empty_span"),
        ((-1, 2), "span_out_of_range"),
    ]:
        with pytest.raises(SpanError, match="does not fit the 5 words") as error:
            align_words(words, [Span(*span, "A")])
        assert error.value.reason == reason
    with pytest.raises(SpanError, match="overlap"):
        align_words(words, [Span(0, 2, "A"), Span(1, 3, "B")])
