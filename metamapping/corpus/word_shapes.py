"""Word shapes: how a word is written, which tokenizers without capitals do not say.

A name is told by its capitals as much as by its letters, and an encoder that reads lower case alone never
sees them. A word's shape is a number into ``SHAPES``; its window is its own shape and those of the words
beside it, ``EDGE`` beyond the text. In a text that is written in one case throughout, as people chat
or shout, capitals say nothing: its words are ``uncased``.

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
    """The shape of each word of one text; a capital that only begins the text is told from others."""
    shapes = [_shape(word) for word in words]
    if not any(map(str.isupper, "".join(words))) or not any(map(str.islower, "".join(words))):
        return [int(shape) for shape in without_case(np.array(shapes, np.int32))]
    first = next((i for i, shape in enumerate(shapes) if shape != _SYMBOLS), None)
    if first is not None and shapes[first] == _TITLE:
        shapes[first] = _FIRST
    return shapes


def windows_of(shapes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Int32 ``(num_words, 3)``: the shapes around each word of texts that begin at ``offsets``."""
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
    """The same shapes or windows as those of a text in lower case throughout."""
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
