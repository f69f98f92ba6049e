"""Cleaners: what they change and what they leave unchanged."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from metamapping.config.corpus import CleaningSpec
from metamapping.corpus.cleaning import CLEANERS, cleaned_texts, cleaned_words
from metamapping.corpus.column_cleaning import clean_texts, clean_words, string_array

DEFAULT = CleaningSpec().cleaners
ALL = list(CLEANERS)
# Plain letters, and what the patterns of cleaners match.
SNIPPETS = ["a", "B", " ", "\n", "\t", "&amp;", "&eacute;", "<br>", "<b", "<3", "Ã©", "é", "e\u0301"]
SNIPPETS += [
    "\u200b",
    "\u200d",
    "\u00a0",
    "\u2028",
    "\x00",
    "\x1f",
    "@ann",
    "http://a.b",
    "www.c.d",
    "’",
    "ï",
]
DIRTY = st.lists(st.one_of(st.sampled_from(SNIPPETS), st.characters(codec="utf-8")), max_size=12).map("".join)


def clean(text, cleaners=DEFAULT):
    cleaned = clean_texts(pa.array([text], pa.string()), cleaners)[0].as_py()
    assert cleaned_texts([text], cleaners) == [cleaned]
    return cleaned


@pytest.mark.parametrize(
    ("dirty", "cleaners", "expected"),
    [
        ("cafÃ© noir", ["encoding"], "café noir"),
        ("bread &amp; butter &eacute;", ["html"], "bread & butter é"),
        ("one<br />two <b class='x'>three</b>", ["html", "whitespace"], "one two three"),
        ("I <3 you, a < b > c", ["html"], "I <3 you, a < b > c"),
        ("if a<b and c>d stop", ["html", "whitespace"], "if a<b and c>d stop"),
        ("e\u0301te\u0301", ["unicode"], "été"),
        ("zero\u200bwidth\x00\ufeff", ["control"], "zerowidth"),
        ("a\u200db", ["control"], "ab"),
        ("👩\u200d🚀", ["control"], "👩\u200d🚀"),
        ("  two \u00a0 words\n\n", ["whitespace"], "two words"),
        ("see https://a.b/c?d=e now", ["urls"], "see http now"),
        ("thanks @ann_b, me@ann.org", ["users"], "thanks @user, me@ann.org"),
    ],
)
def test_each_cleaner_fixes_its_fault(dirty, cleaners, expected):
    assert clean(dirty, cleaners) == expected


def test_cleaners_work_in_the_order_given():
    assert clean("&nbsp;a", ["html", "whitespace"]) == "a"
    assert clean("&nbsp;a", ["whitespace", "html"]) == "\u00a0a"


def test_without_cleaners_texts_are_unchanged():
    assert clean(" &amp;\x00 ", []) == " &amp;\x00 "


def test_null_stays_null():
    assert clean_texts(pa.array([None, " a "], pa.string()), DEFAULT).to_pylist() == [None, "a"]


@example("@¹ and @été")
@given(DIRTY)
def test_a_cleaner_changes_no_text_that_its_pattern_does_not_match(text):
    for name, cleaner in CLEANERS.items():
        if not pc.match_substring_regex(pa.array([text]), cleaner.pattern)[0].as_py():
            assert cleaner.clean(text) == text
        assert cleaned_texts([text], [name]) == [cleaner.clean(text)]


@given(st.lists(st.lists(DIRTY, max_size=5), max_size=4))
def test_cleaning_never_changes_the_number_of_words(rows):
    words = pa.array(rows, pa.list_(pa.string()))
    cleaned = clean_words(words, ALL).to_pylist()
    assert cleaned_words(rows, ALL) == cleaned
    assert [len(row) for row in cleaned] == [len(row) for row in rows]
    assert all(
        len(new.split()) <= 1 or new == old
        for row, before in zip(cleaned, rows, strict=True)
        for new, old in zip(row, before, strict=True)
    )


def test_each_word_is_cleaned_by_itself_and_none_is_emptied():
    words = pa.array([["caf&eacute;", "\u200b", "a&nbsp;b"], None, []], pa.list_(pa.string()))
    assert clean_words(words, DEFAULT).to_pylist() == [["café", "\u200b", "ab"], None, []]


def test_texts_become_an_arrow_array_as_arrow_itself_makes_it():
    texts = ["a", "", "Zürich 😀", "c"]
    assert string_array(texts).equals(pa.array(texts, pa.string()))
    assert string_array([]).equals(pa.array([], pa.string()))
    with pytest.raises(UnicodeEncodeError):
        string_array(["\ud800"])
