"""Left out: what a task's mapping says about its own examples, each scored by the mapping of all others.

A ridge regression is linear in its targets, ``fit = A R`` with ``A = H Hᵀ (H Hᵀ + λI)⁻¹``, and without the
rows B its residuals on them are ``(I − A_BB)⁻¹ (R_B − fit_B)`` (Allen 1974; Cook 1977). So no mapping is
computed twice, whatever the number of examples. The task's hyperparameters are kept. Where logistic
regression is mixed with it, the scores are those of the mixture, which leaves one example of each label out
at a time; of groups, and of tasks too large for that, the ridge regression alone is known.

    scores = left_out_scores(state)                      # each text, or for ner each sentence, left out
    scores = left_out_scores(state, groups=customers)    # all examples of a customer left out together
    probabilities = state.calibration.probabilities(scores)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from metamapping.adaptation.algebra.entity_types import WordScores, leave_out_types, mixed_scores
from metamapping.adaptation.algebra.mixture import left_out_of
from metamapping.adaptation.algebra.smoother import smoother_of
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.algebra.word_weights import word_roots
from metamapping.adaptation.state import TaskState


def left_out_scores(state: TaskState, *, groups: Sequence[Any] | None = None) -> np.ndarray:
    """Score every item of the support by the mapping of the other examples.

    Args:
        state: A task with examples.
        groups: The group of each example, such as a customer or a thread; the examples of a group are left
            out together. Default: every example is a group of its own.

    Returns:
        Scores ``(num_items, num_labels)``; items are texts, or for ``ner`` words.

    Raises:
        ValueError: The task has no examples or only one group, there is not one group for each example, or
            the task's solver is not a ridge regression.
    """
    regression = LeftOutRegression(state, groups=groups)
    if groups is None and (mixed := left_out_of(state.solution, state.support)) is not None:
        return mixed
    return regression.scores(centred(state.support.targets, len(state.labels)))


def left_out_word_scores(state: TaskState, *, groups: Sequence[Any] | None = None) -> WordScores:
    """Score every word of the support by the mappings, of words and of types, of the other sentences.

    Args:
        state: A ``ner`` task with examples.
        groups: As for ``left_out_scores``.

    Raises:
        ValueError: As for ``left_out_scores``.
    """
    labels = left_out_scores(state, groups=groups)
    if state.types is None:
        return mixed_scores(labels, None)
    blocks = blocks_of(state, groups)
    # Sentences of one word each come without blocks.
    groups_of_words = list(np.arange(len(labels))[:, None]) if blocks is None else blocks
    return mixed_scores(labels, leave_out_types(state.types, state.support, groups_of_words))


def centred(targets: np.ndarray, num_labels: int) -> np.ndarray:
    """One-hot labels, centred: ``(num_items, num_labels)``."""
    one_hot: np.ndarray = (targets[:, None] == np.arange(num_labels)) - 1.0 / num_labels
    return one_hot


class LeftOutRegression:
    """A task's ridge regression as a function of the targets, with groups of items left out.

    Args:
        state: A task with examples.
        groups: As for ``left_out_scores``.

    Raises:
        ValueError: As for ``left_out_scores``.
    """

    def __init__(self, state: TaskState, *, groups: Sequence[Any] | None = None) -> None:
        support, solution = state.support, state.solution
        self._blocks, ridge = blocks_of(state, groups), solution.ridge
        assert ridge is not None
        features = solution.weighted_features(support.features)
        self._prior = support.features @ solution.prior[:-1] + solution.prior[-1]
        if state.is_ner:
            self._roots = word_roots(support.targets)[:, None]
            H = self._roots * features
        else:
            self._roots = np.ones((len(features), 1), np.float32)
            H = np.concatenate([features, self._roots], axis=1)
        self._smoother = smoother_of(H, ridge)

    def scores(self, targets: np.ndarray) -> np.ndarray:
        """The scores of each item by the mapping of the items of other groups.

        Args:
            targets: ``(num_items, num_labels)``, one-hot labels or probabilities, minus their mean.

        Returns:
            ``(num_items, num_labels)``.
        """
        left_out = self._smoother.left_out(self._roots * (targets - self._prior), self._blocks)
        scores: np.ndarray = self._prior + left_out / self._roots
        return scores


def blocks_of(state: TaskState, groups: Sequence[Any] | None) -> list[np.ndarray] | None:
    """The items that are left out together, ``None`` if every item is left out alone.

    Args:
        state: A task.
        groups: As for ``left_out_scores``.

    Raises:
        ValueError: As for ``left_out_scores``.
    """
    if not state.support.num_examples:
        raise ValueError("the task has no examples to leave out: add some")
    if state.solution.ridge is None:
        raise ValueError("examples can only be left out with the solvers `ridge` and `plain-ridge`")
    return _blocks(state.support, groups)


def _blocks(support: Support, groups: Sequence[Any] | None) -> list[np.ndarray] | None:
    """The items of each group; ``None`` if every item is a group of its own."""
    num_examples = support.num_examples
    if groups is None:
        group_of = np.arange(num_examples)
    else:
        values = list(groups)
        if len(values) != num_examples:
            raise ValueError(
                f"{len(values)} groups but {num_examples} examples: give one group for each example"
            )
        numbers = {value: number for number, value in enumerate(dict.fromkeys(values))}
        group_of = np.asarray([numbers[value] for value in values])
        if len(numbers) == 1:
            raise ValueError(
                f"all examples are in one group ({values[0]!r}), so that nothing is left to learn from: "
                "give at least two groups"
            )
    lengths = np.diff(support.offsets)
    if groups is None and (lengths == 1).all():
        return None
    return list(_members(np.repeat(group_of, lengths)))


def _members(group_of: np.ndarray) -> Iterator[np.ndarray]:
    """The positions of each group's members."""
    order = np.argsort(group_of, kind="stable")
    changes = np.flatnonzero(np.diff(group_of[order])) + 1
    yield from np.split(order, changes)
