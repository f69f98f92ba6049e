"""Suspicious labels: what a check of a task's labels answers, whatever kind of labels it has.

A finder (``label_noise_of_texts``, ``…_of_lists``, ``…_of_words``) judges every label of a task and returns
``Findings``; how many of them a user sees is decided in one place.

    findings = judge_texts(state)
    findings.first(num=20, min_probability=0.5)[0].suggested
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from metamapping.adaptation.explanation import explain
from metamapping.adaptation.results import Neighbour
from metamapping.adaptation.state import TaskState
from metamapping.config.labels import label_text

NUM_NEIGHBOURS = 3
_SHOWN_CHARACTERS = 70


@dataclass(frozen=True)
class SuspiciousLabel:
    """An example whose label the others contradict.

    Attributes:
        index: Position of the example in the task, counted from 0.
        text: Its text, for ``ner`` its words; ``None`` if the task was saved without texts.
        label: Its label, or the list of its labels; for ``ner`` the type of the words, or "O".
        suggested: The most probable other label; the list of labels that is more probable.
        probability: The probability that the label is wrong.
        neighbours: The most similar other examples with their labels. The weight of each is what it
            contributes to the score of the suggested label.
        text_pair: The second text; ``None`` for single texts.
        word: For ``ner`` the position of the first word with that label, counted from 0.
        num_words: For ``ner`` how many words are contradicted in the same way.
    """

    index: int
    text: Any
    label: Any
    suggested: Any
    probability: float
    neighbours: list[Neighbour]
    text_pair: str | None = None
    word: int | None = None
    num_words: int | None = None

    @property
    def excerpt(self) -> str:
        """The text, or for ``ner`` the words that the label is about."""
        if self.word is None or self.num_words is None or self.text is None:
            return str(self.text)
        return " ".join(self.text[self.word : self.word + self.num_words])


class SuspiciousLabels(list[SuspiciousLabel]):
    """Examples whose labels are probably wrong, the most probable first.

    Attributes:
        num_examples: Number of examples that were checked, for ``ner`` of words.
        noise: The estimated share of wrong labels among them, from 0 to 1; where texts have any number of
            labels, that of wrong decisions whether a text has a label.
    """

    def __init__(self, labels: Sequence[SuspiciousLabel], *, num_examples: int, noise: float) -> None:
        super().__init__(labels)
        self.num_examples = num_examples
        self.noise = noise

    def from_probability(self, lowest: float) -> SuspiciousLabels:
        """Those that are wrong with at least this probability.

        Args:
            lowest: The probability, from 0 to 1.
        """
        kept = [each for each in self if each.probability >= lowest]
        return SuspiciousLabels(kept, num_examples=self.num_examples, noise=self.noise)

    def __repr__(self) -> str:
        share = f"about {100 * self.noise:.1f} % of all are wrong"
        lines = [f"{len(self)} suspicious labels of {self.num_examples}; {share}"]
        lines += [
            f"  {each.probability:4.2f}  {each.index:5}  {label_words(each.label)} -> "
            f"{label_words(each.suggested)}: {each.excerpt[:_SHOWN_CHARACTERS]!r}"
            for each in self
        ]
        return "\n".join(lines)


def label_words(label: Any) -> str:
    """A label, or a list of labels, in one line.

    Args:
        label: A label or a list of them.
    """
    if isinstance(label, list):
        return ", ".join(str(label_text(each)) for each in label) or "no label"
    return str(label_text(label))


@dataclass(frozen=True)
class Findings:
    """The labels of a task by how much the other examples contradict them.

    Attributes:
        probabilities: That each label is wrong, ``(num_findings,)``, the highest first.
        num_examples: Number of examples that were judged, for ``ner`` of words.
        noise: The estimated share of wrong labels among them, as in ``SuspiciousLabels``.
        describe: Returns as many of the first labels as it is asked for, with what the others suggest.
    """

    probabilities: np.ndarray
    num_examples: int
    noise: float
    describe: Callable[[int], list[SuspiciousLabel]]

    def first(self, *, num: int | None, min_probability: float) -> SuspiciousLabels:
        """Those that a user asks for.

        Args:
            num: How many, whatever their probability. ``None``: all from ``min_probability``.
            min_probability: The lowest probability of being wrong, from 0 to 1.
        """
        count = int((self.probabilities >= min_probability).sum()) if num is None else num
        described = self.describe(min(count, len(self.probabilities)))
        return SuspiciousLabels(described, num_examples=self.num_examples, noise=self.noise)


def neighbours_of(
    state: TaskState, items: np.ndarray, slots: np.ndarray, *, num_same: int = 1
) -> list[list[Neighbour]]:
    """The most similar items of other examples, with what they add to the score of a label.

    Args:
        state: A task with examples.
        items: Positions of the items, ``(num_items,)``.
        slots: The label of each, ``(num_items,)``.
        num_same: At most this many items, itself included, are of the same example.
    """
    if not len(items):
        return []
    examples = np.searchsorted(state.support.offsets, items, side="right") - 1
    explanations = explain(
        state, state.support.features[items], num_examples=NUM_NEIGHBOURS + num_same, slots=slots
    )
    return [
        [near for near in explanation if near.index != example][:NUM_NEIGHBOURS]
        for example, explanation in zip(examples, explanations, strict=True)
    ]
