"""Word shapes: what capitals and characters say about a word."""

from __future__ import annotations

import numpy as np
import pytest

from metamapping.corpus.word_shapes import EDGE, SHAPES, shapes_of, windows_of, without_case


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("wrote", "lower"),
        ("Lovelace", "title"),
        ("I", "title"),
        ("O'neil", "title"),
        ("NATO", "upper"),
        ("U.S.", "upper"),
        ("iPhone", "mixed"),
        ("B2B", "mixed"),
        ("1843", "digits"),
        ("3.5%", "digits"),
        ("--", "symbols"),
        ("", "symbols"),
        ("😀", "symbols"),
        ("@ada", "address"),
        ("#Ada", "address"),
        ("https://example.org", "address"),
        ("@", "symbols"),
        ("Éric", "title"),
        ("Ωμέγα", "title"),
        ("שלום", "lower"),
    ],
)
def test_a_words_shape_describes_its_capitals_and_characters(word, shape):
    assert SHAPES[shapes_of(["so", word, "It"])[1]] == shape


def test_a_capital_at_the_start_of_a_text_has_its_own_shape():
    names = [SHAPES[shape] for shape in shapes_of(['"', "The", "Hague"])]
    assert names == ["symbols", "first title", "title"]
    assert SHAPES[shapes_of(["NATO", "met"])[0]] == "upper"


@pytest.mark.parametrize("words", [["ada", "wrote", "in", "1843", "."], ["ADA", "WROTE", "IN", "1843", "."]])
def test_words_of_a_text_in_one_case_are_uncased(words):
    assert [SHAPES[shape] for shape in shapes_of(words)] == [*["uncased"] * 3, "digits", "symbols"]


def test_without_case_shapes_equal_those_of_lower_case_words():
    cased, lower = (
        np.array(shapes_of(row))
        for row in (["Ada", "B2B", "42", "@x", "so"], ["ada", "b2b", "42", "@x", "so"])
    )
    np.testing.assert_array_equal(without_case(cased), lower)
    assert without_case(np.array([EDGE])).tolist() == [EDGE]


def test_a_window_has_the_shapes_of_neighbouring_words_of_the_same_text():
    windows = windows_of(np.array([1, 2, 3, 4]), np.array([0, 0, 1, 4, 4]))
    assert windows.tolist() == [[EDGE, 1, EDGE], [EDGE, 2, 3], [2, 3, 4], [3, 4, EDGE]]


def test_no_words_have_no_windows():
    assert windows_of(np.array([], int), np.array([0, 0])).shape == (0, 3)
    assert shapes_of([]) == []
