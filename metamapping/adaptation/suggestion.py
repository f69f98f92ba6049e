"""Suggestion: which texts to label next, so that as few labels as possible are needed.

Ridge regression is the mean of a Gaussian process, whose variance does not depend on labels: what labelling a
text x would tell about every text of the pool is known beforehand, ``Σⱼ k(x, xⱼ)² / (k(x, x) + λ)`` with the
kernel k given all examples so far (Yu et al., ICML 2006, "Active learning via transductive experimental
design"). The text of the highest gain is typical and unlike the examples; once it is chosen the kernel is
updated, so that the next one is different again. As soon as there are examples, the gain counts as much as
the labels of the text are undecided: its two most probable labels, or, where a text has any number of labels,
all decisions about it. Where a text has one label, it counts more the fewer examples its probable labels have
so far. For ``ner`` sentences are chosen, each by its words (``sentence_suggestion``).

    suggestions = suggest(state, features, num=20)
    suggestions[0].index, suggestions[0].label, suggestions[0].gain
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from metamapping.adaptation.state import TaskState

# Of larger pools a random selection is considered: the kernel of 4,000 texts is 64 MB.
MAX_POOL = 4_000
# A label with n examples counts (n + 1) to the power of minus this. On six sources that are not those of
# benchmarks/suggestion.py, accuracy with 2 and 4 examples a label is 1.2 and 2.0 points higher than with 0,
# and with 1 and 8 examples as high or higher; 1 was as good.
_BALANCE = 0.5


@dataclass(frozen=True)
class Suggestion:
    """A text that is worth labelling.

    Attributes:
        index: Position of the text in the pool, counted from 0.
        text: The text; for ``ner`` a string or a list of words, as in the pool.
        label: The label that the task predicts for it, or the list of its labels; for ``ner`` as from
            ``Mapping.predict``.
        probability: The probability of that label, or that all labels of the list are right; for ``ner`` that
            of the word's label about which the task is least sure.
        gain: What a label would tell about the pool, as a share of what the first suggestion tells.
        text_pair: The second text; ``None`` for single texts.
    """

    index: int
    text: Any
    label: Any
    probability: float
    gain: float
    text_pair: str | None = None


def suggest_items(
    state: TaskState, features: np.ndarray, num: int, *, is_allowed: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the texts to label.

    Args:
        state: A task of texts, with or without examples.
        features: Float32 ``(num_texts, text_dim)``.
        num: How many texts to choose.
        is_allowed: Booleans ``(num_texts,)``; default: all.

    Returns:
        Positions ``(num,)``, or fewer if there are not as many, in the order in which they were chosen; and
        the gain of each.
    """
    allowed = allowed_items(len(features), is_allowed)
    x = features[allowed]
    undecided = np.ones(len(x), np.float32)
    if state.support.num_examples:
        undecided = _undecided(state, x)
    balance = None
    if not state.is_multi_label:
        counts = np.bincount(state.support.targets, minlength=len(state.labels))
        balance = LabelBalance(state.probabilities(x), counts)
    ridge = 1.0 if state.solution.ridge is None else state.solution.ridge
    H = state.solution.weighted_features(state.support.features)
    kernel = kernel_given(H, state.solution.weighted_features(x), ridge)
    chosen, gains = most_informative(kernel, undecided, ridge, min(num, len(x)), balance=balance)
    return allowed[chosen], gains


def are_new(items: Iterable[Hashable], examples: Iterable[Hashable]) -> np.ndarray:
    """Whether each item is unlike all examples, and unlike all items before it.

    A pool often still has what was labelled already, and to label a text twice tells nothing.

    Args:
        items: What is compared, such as texts or pairs of them.
        examples: Likewise.

    Returns:
        Booleans ``(num_items,)``.
    """
    seen = set(examples)
    new = []
    for item in items:
        new.append(item not in seen)
        seen.add(item)
    return np.asarray(new, bool)


def gain_shares(gains: np.ndarray) -> list[float]:
    """Gains as shares of the first one.

    Args:
        gains: ``(num_texts,)``.
    """
    return [float(gain / gains[0]) if gains[0] > 0 else 0.0 for gain in gains]


class LabelBalance:
    """How much examples of each label are needed, as texts are chosen.

    Args:
        probabilities: Of the labels of each text, ``(num_texts, num_labels)``.
        counts: The number of examples that each label has, ``(num_labels,)``.
    """

    def __init__(self, probabilities: np.ndarray, counts: np.ndarray) -> None:
        self._probabilities, self._counts = probabilities.astype(np.float64), counts.astype(np.float64)

    def needs(self) -> np.ndarray:
        """How much each text is needed for the sake of its probable labels, ``(num_texts,)``."""
        needs: np.ndarray = self._probabilities @ (1.0 + self._counts) ** -_BALANCE
        return needs

    def choose(self, item: int) -> None:
        """Count a text as an example of its probable labels.

        Args:
            item: Its position.
        """
        self._counts += self._probabilities[item]


def allowed_items(num_items: int, is_allowed: np.ndarray | None) -> np.ndarray:
    """The positions of the items that are considered.

    Args:
        num_items: Size of the pool.
        is_allowed: Booleans ``(num_items,)``; ``None`` for all.

    Returns:
        Positions in increasing order, at most ``MAX_POOL``.
    """
    allowed = np.arange(num_items) if is_allowed is None else np.flatnonzero(is_allowed)
    if len(allowed) > MAX_POOL:
        allowed = np.sort(np.random.default_rng(0).permutation(allowed)[:MAX_POOL])
    return allowed


def _undecided(state: TaskState, features: np.ndarray) -> np.ndarray:
    """How undecided the labels of texts are, ``(num_texts,)``."""
    probabilities = state.probabilities(features)
    if state.is_multi_label:
        # The expected number of wrong decisions.
        expected: np.ndarray = np.minimum(probabilities, 1.0 - probabilities).sum(axis=-1)
        return expected
    two = np.sort(probabilities, axis=-1)[:, -2:]
    undecided: np.ndarray = 1.0 - (two[:, 1] - two[:, 0])
    return undecided


def kernel_given(H: np.ndarray, x: np.ndarray, ridge: float) -> np.ndarray:
    """The kernel of items given examples.

    Args:
        H: Weighted features of the examples, ``(num_examples, width)``; there may be none.
        x: Weighted features of the items, ``(num_items, width)``.
        ridge: λ.

    Returns:
        Float32 ``(num_items, num_items)``.
    """
    from scipy.linalg import cho_factor, cho_solve

    x = _with_constant(x)
    kernel = x @ x.T
    if len(H):
        H = _with_constant(H)
        cross = H @ x.T
        shifted = (H @ H.T).astype(np.float64) + ridge * np.eye(len(H))
        kernel -= cross.T @ cho_solve(cho_factor(shifted), cross)
    return np.asarray(kernel, np.float32)


def _with_constant(features: np.ndarray) -> np.ndarray:
    return np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)


def most_informative(
    kernel: np.ndarray,
    undecided: np.ndarray,
    ridge: float,
    num: int,
    *,
    balance: LabelBalance | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose items one after another, each given those chosen before.

    The kernel after some choices is ``K − F Fᵀ`` with one column of F for each, so that a choice costs one
    product of K with a vector.

    Args:
        kernel: ``(num_items, num_items)``.
        undecided: What the gain of each item is multiplied by, ``(num_items,)``.
        ridge: λ.
        num: How many to choose.
        balance: What the gain is multiplied by as well; it changes with every choice.

    Returns:
        Positions and gains, ``(num,)`` each.
    """
    factors = np.zeros((len(kernel), num))
    variance = np.diag(kernel).astype(np.float64)
    squares = np.einsum("ij,ij->i", kernel, kernel, dtype=np.float64)
    is_free = np.ones(len(kernel), bool)
    chosen, gains = np.zeros(num, int), np.zeros(num)
    for step in range(num):
        gain = undecided * np.maximum(squares, 0.0) / (variance + ridge)
        if balance is not None:
            gain = gain * balance.needs()
        best = int(np.where(is_free, gain, -np.inf).argmax())
        chosen[step], gains[step] = best, gain[best]
        is_free[best] = False
        if balance is not None:
            balance.choose(best)
        earlier = factors[:, :step]
        column = (kernel[:, best] - earlier @ earlier[best]) / np.sqrt(variance[best] + ridge)
        product = kernel @ column.astype(kernel.dtype) - earlier @ (earlier.T @ column)
        squares += column**2 * (column @ column) - 2.0 * column * product
        variance -= column**2
        factors[:, step] = column
    return chosen, gains
