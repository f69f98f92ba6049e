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
def test_a_words_shape_says_how_it_is_written(word, shape):
    assert SHAPES[shapes_of(["so", word, "It"])[1]] == shape


def test_a_capital_that_only_begins_a_text_is_told_from_others():
    names = [SHAPES[shape] for shape in shapes_of(['"', "The", "Hague"])]
    assert names == ["symbols", "first title", "title"]
    assert SHAPES[shapes_of(["NATO", "met"])[0]] == "upper"


@pytest.mark.parametrize("words", [["ada", "wrote", "in", "1843", "."], ["ADA", "WROTE", "IN", "1843", "."]])
def test_in_a_text_of_one_case_capitals_say_nothing(words):
    assert [SHAPES[shape] for shape in shapes_of(words)] == [*["uncased"] * 3, "digits", "symbols"]


def test_without_case_words_are_as_in_lower_case():
    cased, lower = (
        np.array(shapes_of(row))
        for row in (["Ada", "B2B", "42", "@x", "so"], ["ada", "b2b", "42", "@x", "so"])
    )
    np.testing.assert_array_equal(without_case(cased), lower)
    assert without_case(np.array([EDGE])).tolist() == [EDGE]


def test_a_window_holds_the_shapes_beside_a_word_and_none_of_another_text():
    windows = windows_of(np.array([1, 2, 3, 4]), np.array([0, 0, 1, 4, 4]))
    assert windows.tolist() == [[EDGE, 1, EDGE], [EDGE, 2, 3], [2, 3, 4], [3, 4, EDGE]]


def test_no_words_have_no_windows():
    assert windows_of(np.array([], int), np.array([0, 0])).shape == (0, 3)
    assert shapes_of([]) == []
