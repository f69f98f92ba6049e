"""Results: what a mapping answers beside labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Neighbour:
    """An example of the support beside a text.

    ``similarity``: cosine of the two features. ``weight``: what the example adds to the score of the
    label that is predicted for the text, or takes from it. ``index``: its number among the examples.
    ``text`` is ``None`` where the task was saved without texts.
    """

    text: str | None
    label: str
    similarity: float
    weight: float
    index: int
    text_pair: str | None = None


class Explanation(list[Neighbour]):
    """The examples most like a text, nearest first, and what its label's score is made of.

    ``score`` = ``prior`` + the weights of *all* examples: ``x Hᵀ D``, where the dual weights
    ``D = (Y − H V) / λ`` say how far each example still is from what the mapping says of it.
    ``prior`` is what the labels' names alone say.
    """

    def __init__(self, neighbours: list[Neighbour], *, label: str, score: float, prior: float) -> None:
        super().__init__(neighbours)
        self.label = label
        self.score = score
        self.prior = prior


class Answers(NamedTuple):
    """What a mapping says of texts: ``labels`` as ``predict`` gives them, the rest as its namesakes."""

    labels: list[str | None]
    probabilities: np.ndarray
    confidence: np.ndarray
