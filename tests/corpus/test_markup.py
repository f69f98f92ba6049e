"""Tags go; comparisons and generic types, which look like tags, stay."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metamapping.corpus.markup import without_markup


@pytest.mark.parametrize(
    "text",
    [
        "if a<b and c>d stop",
        "if (a<b && c>d) return;",
        "a List<p> of parts",
        "List<int>, Map<String, List<b>>, vector<a> v; f(x)<b>",
        "for i<p>q, x <= y, p<q",
        "i<b c>d and u<s or s>t",
        "I <3 you, a < b > c, <grin>, <ann@example.org>",
        "AT&T, a && b, ?a=1&copy=2&section=3, &notit;",
        "0 <!-- never closed",
        "<b",
    ],
)
def test_what_is_no_markup_stays(text):
    assert without_markup(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<div>hello <b>you</b></div>", "hello you"),
        ("hello<b>you</b>", "hello you"),
        ("İİİİİİ<B>you</b >", "İİİİİİ you"),
        ("one<br>two<br />three<BR/>", "one two three"),
        ("first<p>second<li>third", "first second third"),
        ("(see above)<p>next", "(see above) next"),
        ('<a href=http://x.y/?a=1 target="_blank">link</a>', "link"),
        ("<input type='checkbox' checked disabled> done", "done"),
        ('<my-box id="1">inside</my-box>', "inside"),
        ("<!DOCTYPE html><html><!-- a > b -->text</html>", "text"),
        ("&lt;b&gt;bold&lt;/b&gt; List&lt;int&gt;", "bold List<int>"),
        ("caf&eacute; &#39;noir&#x27; &amp; x&nbsp y", "café 'noir' & x y"),
    ],
)
def test_markup_goes(text, expected):
    assert " ".join(without_markup(text).split()) == expected


WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
ELEMENTS = st.sampled_from(["a", "b", "i", "p", "div", "span", "li", "H2", "table"])
# Names are joined by operators, none of which makes a tag of what is between `<` and `>`.
OPERATORS = st.sampled_from([" < ", "<", " > ", ">", "<=", " && ", " and ", " or ", "<<", ">>", "->", " == "])


@given(st.lists(st.tuples(st.sampled_from("abcxyz"), OPERATORS), min_size=1, max_size=12))
def test_comparisons_stay(terms):
    text = "if " + "".join(name + operator for name, operator in terms) + "0"
    text = text.replace("->", " ")
    if "<a>" not in text and "<b>" not in text:
        assert without_markup(text) == text
    assert without_markup(text).count("=") == text.count("=")


@given(WORDS, st.sampled_from(["int", "T", "String", "a", "b", "p", "label"]), WORDS)
def test_generic_types_stay(name, argument, word):
    for text in (f"{name}<{argument}> {word}", f"{word} Map<{word}, {name}<{argument}>> of"):
        assert without_markup(text) == text


@given(st.lists(st.tuples(WORDS, ELEMENTS), min_size=1, max_size=8), st.booleans())
def test_elements_go_and_their_texts_stay(parts, has_attribute):
    attribute = ' class="x y"' if has_attribute else ""
    text = "".join(f"<{element}{attribute}>{word}</{element}>" for word, element in parts)
    assert without_markup(text).split() == [word for word, _ in parts]


@given(st.text("<>!-/ab=\"' &;p#"))
def test_any_text_can_be_cleaned(text):
    assert len(without_markup(text)) <= len(text)


@pytest.mark.parametrize("part", ["<!--", "<a ", "<a x='", "<", "x<b>", "<a b=c ", "&", "<aa", "<p async "])
def test_hostile_texts_take_little_time(part):
    start = time.perf_counter()
    without_markup(part * 20_000)
    assert time.perf_counter() - start < 5
