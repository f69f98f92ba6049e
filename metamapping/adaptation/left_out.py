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

from metamapping.adaptation.mixture import left_out_of
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.support import Support
from metamapping.adaptation.word_weights import word_roots

# Items whose leverages are computed at once, which bounds the memory.
_ITEMS_PER_CHUNK = 8_192


def left_out_scores(
    state: TaskState, *, groups: Sequence[Any] | None = None, min_ridge: float = 0.0
) -> np.ndarray:
    """Score every item of the support by the mapping of the other examples.

    Args:
        state: A task with examples.
        groups: The group of each example, such as a customer or a thread; the examples of a group are left
            out together. Default: every example is a group of its own.
        min_ridge: Lower limit of λ, for a mapping that follows single examples less than the task's does.

    Returns:
        Scores ``(num_items, num_labels)``; items are texts, or for ``ner`` words.

    Raises:
        ValueError: The task has no examples or only one group, there is not one group for each example, or
            the task's solver is not a ridge regression.
    """
    regression = LeftOutRegression(state, groups=groups, min_ridge=min_ridge)
    if groups is None and not min_ridge and (mixed := left_out_of(state.solution, state.support)) is not None:
        return mixed
    return regression.scores(centred(state.support.targets, len(state.labels)))


def centred(targets: np.ndarray, num_labels: int) -> np.ndarray:
    """One-hot labels, centred: ``(num_items, num_labels)``."""
    one_hot: np.ndarray = (targets[:, None] == np.arange(num_labels)) - 1.0 / num_labels
    return one_hot


class LeftOutRegression:
    """A task's ridge regression as a function of the targets, with groups of items left out.

    Args:
        state: A task with examples.
        groups: As for ``left_out_scores``.
        min_ridge: As for ``left_out_scores``.

    Raises:
        ValueError: As for ``left_out_scores``.
    """

    def __init__(
        self, state: TaskState, *, groups: Sequence[Any] | None = None, min_ridge: float = 0.0
    ) -> None:
        support, solution = state.support, state.solution
        if not support.num_examples:
            raise ValueError("the task has no examples to leave out: add some")
        if solution.ridge is None:
            raise ValueError("examples can only be left out with the solvers `ridge` and `plain-ridge`")
        self._blocks = _blocks(support, groups)
        ridge = max(solution.ridge, min_ridge)
        features = solution.weighted_features(support.features)
        self._prior = support.features @ solution.prior[:-1] + solution.prior[-1]
        if state.is_ner:
            self._roots = word_roots(support.targets)[:, None]
            self._smoother = _Smoother(self._roots * features, ridge)
        else:
            self._roots = np.ones((len(features), 1), np.float32)
            constant = np.ones((len(features), 1), np.float32)
            self._smoother = _Smoother(np.concatenate([features, constant], axis=1), ridge)

    def scores(self, targets: np.ndarray) -> np.ndarray:
        """The scores of each item by the mapping of the items of other groups.

        Args:
            targets: ``(num_items, num_labels)``, one-hot labels or probabilities, minus their mean.

        Returns:
            ``(num_items, num_labels)``.
        """
        right = self._roots * (targets - self._prior)
        fitted = self._smoother.fit(right)
        leverage = self._smoother.leverage[:, None]
        left_out = (fitted - leverage * right) / (1.0 - leverage)
        for block in self._blocks or ():
            if len(block) > 1:
                residuals = self._smoother.without_block(block, (right - fitted)[block])
                left_out[block] = right[block] - residuals
        scores: np.ndarray = self._prior + left_out / self._roots
        return scores


class _Smoother:
    """``A = H Hᵀ (H Hᵀ + λI)⁻¹`` of H, ``(num_items, width)``; only a matrix if there are few items."""

    def __init__(self, H: np.ndarray, ridge: float) -> None:
        self._H = H
        self._is_dual = len(H) <= H.shape[1]
        gram = (H @ H.T if self._is_dual else H.T @ H).astype(np.float64)
        self._shifted = gram + ridge * np.eye(len(gram))
        self._inverse = np.linalg.inv(self._shifted)
        if self._is_dual:
            self._matrix = np.eye(len(H)) - ridge * self._inverse
            self.leverage: np.ndarray = np.diag(self._matrix)
        else:
            chunks = (H[first : first + _ITEMS_PER_CHUNK] for first in range(0, len(H), _ITEMS_PER_CHUNK))
            self.leverage = np.concatenate([(x @ self._inverse * x).sum(axis=-1) for x in chunks])

    def fit(self, right: np.ndarray) -> np.ndarray:
        """``A right``: ``(num_items, num_labels)``."""
        if self._is_dual:
            return np.asarray(self._matrix @ right)
        return np.asarray(self._H @ (self._inverse @ (self._H.T @ right)))

    def without_block(self, block: np.ndarray, residuals: np.ndarray) -> np.ndarray:
        """The residuals of the items in ``block`` by the regression without them.

        ``residuals``: ``(len(block), num_labels)``, those of the whole regression.
        """
        if self._is_dual:
            return np.linalg.solve(np.eye(len(block)) - self._matrix[np.ix_(block, block)], residuals)
        B = self._H[block]
        if len(B) > B.shape[1]:
            # Large blocks: solve in the space of features, without the block's own part of the Gram matrix.
            shifted = self._shifted - (B.T @ B).astype(np.float64)
            return np.asarray(residuals + B @ np.linalg.solve(shifted, B.T @ residuals))
        return np.linalg.solve(np.eye(len(B)) - B @ self._inverse @ B.T, residuals)


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
