"""Explanation: which examples a prediction rests on, and how much each of them contributes.

explanation = explain(state, features, num_examples=3)[0]   # features of one text, (1, text_dim)
explanation[0].text, explanation[0].weight
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from metamapping.adaptation.algebra.entity_types import type_dual_weights
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.word_weights import word_roots
from metamapping.adaptation.results import Explanation, Neighbour
from metamapping.adaptation.state import TaskState

# Items explained at once, which bounds the memory.
_ITEMS_PER_CHUNK = 512


def explain(
    state: TaskState, features: np.ndarray, *, num_examples: int, slots: np.ndarray | None = None
) -> list[Explanation]:
    """Explain the predictions for texts by the examples that are most similar to them.

    For ``ner`` words are explained by words: a neighbour is a word of an example. Where the types of entities
    have a regression of their own, the score of a type is the mean of both regressions, of which an entity's
    score is the mean over its words.

    Args:
        state: A task with examples.
        features: Float32 ``(num_items, width)``, the features of the texts, or for ``ner`` of words.
        num_examples: How many examples to return for each.
        slots: Label slots ``(num_items,)`` to explain; default: the label of the highest score.

    Returns:
        One explanation for each item, each with the most similar examples first.

    Raises:
        ValueError: The task's solver is not a ridge regression.
    """
    slots = state.best(state.solution.scores(features)) if slots is None else slots
    dual_weights = {label: _dual_weights(state, label) for label in np.unique(slots).tolist()}
    explanations = []
    for first in range(0, len(features), _ITEMS_PER_CHUNK):
        chunk = slice(first, first + _ITEMS_PER_CHUNK)
        explanations += _explain_chunk(state, features[chunk], slots[chunk], dual_weights, num_examples)
    return explanations


def _explain_chunk(
    state: TaskState,
    features: np.ndarray,
    slots: np.ndarray,
    dual_weights: dict[int, np.ndarray],
    num_examples: int,
) -> list[Explanation]:
    support, solution = state.support, state.solution
    similarity = support.first_view(features) @ support.first_view(support.features).T
    weighted = solution.weighted_features(support.features)
    kernel = solution.weighted_features(features) @ weighted.T
    constant = 0.0 if state.is_ner else 1.0  # The regression of words has no constant.
    scores = solution.scores(features)
    prior = features @ solution.scoring_prior[:-1] + solution.scoring_prior[-1]
    types = None if state.types is None else _of_types(state, state.types, features, dual_weights)
    explanations = []
    for item, label in enumerate(slots.tolist()):
        weights = (kernel[item] + constant) * dual_weights[label]
        if types is not None and label:
            weights = (weights + types.kernel[item] * types.dual_weights[label]) / 2
            scores[item, label] = (scores[item, label] + types.scores[item, label - 1]) / 2
            prior[item, label] = (prior[item, label] + types.prior[item, label - 1]) / 2
        nearest = np.argsort(-similarity[item], kind="stable")[:num_examples]
        neighbours = [
            _neighbour(state, int(i), float(similarity[item, i]), float(weights[i])) for i in nearest
        ]
        explanations.append(
            Explanation(
                neighbours,
                label=state.labels[label],
                score=float(scores[item, label]),
                prior=float(prior[item, label]),
            )
        )
    return explanations


class _OfTypes(NamedTuple):
    """What the regression of entities says about words: their kernel with the support's, and the parts."""

    kernel: np.ndarray
    scores: np.ndarray
    prior: np.ndarray
    dual_weights: dict[int, np.ndarray]


def _of_types(state: TaskState, types: Solution, features: np.ndarray, labels: Iterable[int]) -> _OfTypes:
    return _OfTypes(
        features @ state.support.features.T,
        types.scores(features),
        features @ types.prior[:-1] + types.prior[-1],
        {label: type_dual_weights(types, state.support, label) for label in labels if label},
    )


def _dual_weights(state: TaskState, label: int) -> np.ndarray:
    weights = state.dual_weights(label)
    return weights * word_roots(state.support.targets) ** 2 if state.is_ner else weights


def _neighbour(state: TaskState, item: int, similarity: float, weight: float) -> Neighbour:
    support = state.support
    example = int(np.searchsorted(support.offsets, item, side="right")) - 1
    text, word = support.texts[example], None
    if state.is_ner:
        word = item - int(support.offsets[example])
        text = None if text is None else text[word]
    return Neighbour(
        text=text,
        label=state.label_of_item(item),
        similarity=similarity,
        weight=weight,
        index=example,
        text_pair=None if support.text_pairs is None else support.text_pairs[example],
        word=word,
    )
