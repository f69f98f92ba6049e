"""Word shapes: how words are capitalized and what characters they have, which uncased tokenizers drop.

Input: words. Output: for each word the index of its shape in ``SHAPES``. Capitals help to recognize names,
and an uncased encoder never sees them. The window of a word has its own shape and those of the words before
and after it, with ``EDGE`` beyond the text. In a text that is in lower case or in capitals throughout,
capitals carry no information: its words are ``uncased``.

    shapes = shapes_of(["Ada", "Lovelace", "wrote", "1843"])       # [2, 1, 0, 6]
    windows = windows_of(np.array(shapes), np.array([0, 4]))       # int32 (4, 3)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

SHAPES = ("lower", "title", "first title", "upper", "mixed", "uncased", "digits", "symbols", "address")
EDGE = len(SHAPES)
WINDOW = 3  # the word before, the word itself, the word after

_LOWER, _TITLE, _FIRST, _UPPER, _MIXED, _UNCASED, _DIGITS, _SYMBOLS, _ADDRESS = range(len(SHAPES))
_ADDRESSES = re.compile(r"[@#]\w|https?:|www\.", re.IGNORECASE)


def shapes_of(words: Sequence[str]) -> list[int]:
    """Return the shape of each word of one text.

    A capital at the beginning of the text has a shape of its own, because any word may begin a text.

    Args:
        words: The words of the text.
    """
    shapes = [_shape(word) for word in words]
    if not any(map(str.isupper, "".join(words))) or not any(map(str.islower, "".join(words))):
        return [int(shape) for shape in without_case(np.array(shapes, np.int32))]
    first = next((i for i, shape in enumerate(shapes) if shape != _SYMBOLS), None)
    if first is not None and shapes[first] == _TITLE:
        shapes[first] = _FIRST
    return shapes


def windows_of(shapes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the shapes before, of and after each word, int32 ``(num_words, 3)``.

    Args:
        shapes: The shapes of the words of all texts, ``(num_words,)``.
        offsets: Where each text begins, and where the last one ends, ``(num_texts + 1,)``.
    """
    windows = np.full((len(shapes), WINDOW), EDGE, np.int32)
    windows[:, 1] = shapes
    starts, ends = np.zeros((2, len(shapes)), bool)
    filled = offsets[:-1] < offsets[1:]
    starts[offsets[:-1][filled]] = True
    ends[offsets[1:][filled] - 1] = True
    windows[1:, 0] = np.where(starts[1:], EDGE, shapes[:-1])
    windows[:-1, 2] = np.where(ends[:-1], EDGE, shapes[1:])
    return windows


def without_case(shapes: np.ndarray) -> np.ndarray:
    """Return the shapes that the same words would have in a text in lower case throughout.

    Args:
        shapes: Shapes or windows, of any array shape.
    """
    hidden: np.ndarray = np.where(shapes < _UNCASED, _UNCASED, shapes)
    return hidden


def _shape(word: str) -> int:
    if _ADDRESSES.match(word):
        return _ADDRESS
    letters = [character for character in word if character.isalpha()]
    if not letters:
        return _DIGITS if any(character.isdigit() for character in word) else _SYMBOLS
    if any(character.isdigit() for character in word):
        return _MIXED
    capitals = sum(character.isupper() for character in letters)
    if capitals == 0:
        return _LOWER
    if capitals == 1 and letters[0].isupper():
        return _TITLE
    return _UPPER if capitals == len(letters) else _MIXED
