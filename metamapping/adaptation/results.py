"""Results: what a mapping returns besides plain labels.

``Mapping.explain`` returns an ``Explanation``, a list of ``Neighbour``; ``Mapping.answer`` returns
``Answers``; and ``Mapping.predict`` returns lists of ``Entity`` for the strings of a ``ner`` task. All of
them are plain values that hold no reference to the encoder.

    explanation = mapping.explain("it has not arrived")
    explanation[0].text, explanation[0].weight
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from metamapping.corpus.labels import Label


@dataclass(frozen=True)
class Neighbour:
    """A support example that resembles the explained text.

    Attributes:
        text: The example's text, or for ``ner`` the word; ``None`` if the task was saved without texts.
        label: The example's label.
        similarity: Cosine similarity of the two texts' features.
        weight: What the example contributes to the score of the predicted label; may be negative.
        index: Position of the example in the task, counted from 0.
        text_pair: The example's second text; ``None`` for single texts.
        word: For ``ner`` the position of the word in the example, counted from 0.
    """

    text: str | None
    label: Label
    similarity: float
    weight: float
    index: int
    text_pair: str | None = None
    word: int | None = None


class Explanation(list[Neighbour]):
    """The examples most similar to a text, and the parts that its label's score consists of.

    ``score`` = ``prior`` + the weights of *all* examples: ``x Hᵀ D``, where the dual weights
    ``D = (Y − H V) / λ`` are proportional to the residual that the mapping leaves on each example.

    Attributes:
        label: The explained label.
        score: Its score; that of an entity's type is the mean over its words.
        prior: The part of the score that comes from the label names alone.
        left_out_probability: For ``ner`` the probability of the entity that the word is part of, where it is
            so low that "O" is predicted instead of ``label``; ``None`` otherwise.
    """

    left_out_probability: float | None = None

    def __init__(self, neighbours: list[Neighbour], *, label: Label, score: float, prior: float) -> None:
        super().__init__(neighbours)
        self.label = label
        self.score = score
        self.prior = prior


@dataclass(frozen=True)
class Error:
    """A labelled text that the mapping predicts wrongly.

    Attributes:
        index: Position of the text among those given, counted from 0.
        text: The text, or for ``ner`` its words.
        label: The label that was given, or for ``ner`` the BIO tags.
        predicted: The label that is predicted, or for ``ner`` the BIO tags; ``None`` for an empty text.
        probability: The probability of the predicted label; for ``ner`` that of the wrong word about which
            the mapping is surest.
        explanation: The examples on which the prediction rests; for ``ner`` those of that word. ``None`` if
            none were asked for, for an empty text, and if the solver is not a ridge regression.
        text_pair: The second text; ``None`` for single texts.
        word: For ``ner`` the position of that word.
    """

    index: int
    text: Any
    label: Any
    predicted: Any
    probability: float
    explanation: Explanation | None = None
    text_pair: str | None = None
    word: int | None = None


class Entity(NamedTuple):
    """An entity that was found in a text.

    Attributes:
        text: What is written there.
        start: Its first character, from 0.
        end: The character after its last.
        label: Its type.
        probability: How likely exactly these words are one entity of this type.
    """

    text: str
    start: int
    end: int
    label: str
    probability: float


class Answers(NamedTuple):
    """The results of ``predict``, ``predict_proba`` and ``confidence`` for the same texts."""

    labels: list[Any]
    probabilities: np.ndarray
    confidence: np.ndarray
