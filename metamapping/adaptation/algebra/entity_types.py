"""Entity types: a ridge regression that tells the types of whole entities apart, and nothing else.

The regression of words has to tell all words outside of entities from those inside as well. That of types
has only the entities of the examples, each with the mean of its words' features, so that the little that is
known of them counts for the types alone. Its prior are the names of the types; α and λ are fitted as for
words. Scores are linear in the features: an entity's score is the mean of those of its words, and an entity
is judged by the mean of this score and that of the regression of words. The figures:
docs/experiments/whole-entities.md.

    types = fit_types(mapping, name_features, support)      # None where entities are not separate
    scores = word_scores(solution, types, features)         # of labels, and of types, for each word
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from metamapping.adaptation.algebra.ridge_regression import regress
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Support
from metamapping.adaptation.algebra.word_weights import word_roots
from metamapping.models.separate_entities import (
    are_separate,
    decode_separately,
    entity_starts,
    separate_probabilities,
)
from metamapping.models.solvers.word_ridge import fit_word_hyperparameters
from metamapping.models.viterbi import decode_words, entity_probabilities
from metamapping.runtime.mapping import LearnedMapping

# An entity raises F1 if it is right with a probability above half of the F1 that is reached. Chosen from 0.15
# to 0.35 on validation sources: docs/experiments/whole-entities.md.
MIN_ENTITY_PROBABILITY = 0.25


class FoundEntity(NamedTuple):
    """An entity of one text: its words, its label slot, and the probability that all of that is right."""

    first: int
    end: int
    slot: int
    probability: float


@dataclass(frozen=True)
class WordScores:
    """What is known about the words of one or more texts.

    Attributes:
        labels: ``(num_words, num_labels)``, of each label of the task, "outside" at slot 0.
        types: ``(num_words, num_labels - 1)``: the mean over an entity's words says which type it has.
    """

    labels: np.ndarray
    types: np.ndarray

    def split(self, offsets: np.ndarray) -> list[WordScores]:
        """The scores of each text.

        Args:
            offsets: Text ``i`` has the words ``offsets[i]:offsets[i + 1]``; at least one text.
        """
        parts = (np.split(each, offsets[1:-1]) for each in (self.labels, self.types))
        return [WordScores(*each) for each in zip(*parts, strict=True)]

    def decode(self, *, is_separate: bool) -> np.ndarray:
        """The label slots of the words of one text, decoded jointly.

        Args:
            is_separate: Whether no entity directly follows another.

        Returns:
            Int64 ``(num_words,)``.
        """
        if is_separate:
            return decode_separately(self.labels, type_scores=self.types)
        return decode_words(self.labels)

    def entities(self, *, scale: float, is_separate: bool, min_probability: float) -> list[FoundEntity]:
        """The entities of one text that are probable enough.

        Args:
            scale: The inverse temperature of the scores.
            is_separate: As for ``decode``.
            min_probability: Less probable entities are left out.

        Returns:
            The entities in the order of the text.
        """
        runs = entity_runs(self.decode(is_separate=is_separate))
        probabilities = self.entity_probabilities(runs, scale=scale, is_separate=is_separate).tolist()
        found = [FoundEntity(*run, each) for run, each in zip(runs, probabilities, strict=True)]
        return [entity for entity in found if entity.probability >= min_probability]

    def entity_probabilities(
        self, entities: Sequence[tuple[int, int, int]], *, scale: float, is_separate: bool
    ) -> np.ndarray:
        """The probability of each entity that ``decode`` finds in one text.

        Args:
            entities: First word, word after the last, and label slot of each.
            scale: The inverse temperature of the scores.
            is_separate: As for ``decode``.

        Returns:
            Float64 ``(num_entities,)``.
        """
        if is_separate:
            return separate_probabilities(self.labels, entities, scale=scale, type_scores=self.types)
        return entity_probabilities(self.labels, entities, scale=scale)


def entity_runs(slots: np.ndarray) -> list[tuple[int, int, int]]:
    """First word, word after the last, and label slot of each entity of one text.

    Args:
        slots: Label slots ``(num_words,)``, "outside" at slot 0; neighbours of one label are one entity.
    """
    edges = np.flatnonzero(np.diff(slots, prepend=-1, append=-1)).tolist()
    runs = ((first, end, int(slots[first])) for first, end in pairwise(edges))
    return [run for run in runs if run[2]]


def mixed_scores(labels: np.ndarray, types: np.ndarray | None) -> WordScores:
    """The scores of words, of which both regressions judge the types alike.

    Args:
        labels: ``(num_words, num_labels)``, by the regression of words.
        types: ``(num_words, num_labels - 1)``, by that of types; ``None`` if there is none.
    """
    by_words = labels[:, 1:]
    return WordScores(labels, by_words if types is None else (by_words + types) / 2)


def word_scores(solution: Solution, types: Solution | None, features: np.ndarray) -> WordScores:
    """Compute the scores of words.

    Args:
        solution: The mapping of words to labels.
        types: That of entities to types, from ``fit_types``.
        features: Float32 ``(num_words, width)``.
    """
    return mixed_scores(solution.scores(features), None if types is None else types.scores(features))


def fit_types(mapping: LearnedMapping, name_features: np.ndarray, support: Support) -> Solution | None:
    """Compute the mapping of whole entities to types.

    Args:
        mapping: The meta-learned mapping.
        name_features: Float32 ``(num_labels, dim)``, features of the label names, "outside" at slot 0.
        support: The examples of a ``ner`` task.

    Returns:
        The mapping, whose scores are ``(num_items, num_labels - 1)``; ``None`` if there is nothing to choose
        between, the solver is no ridge regression, or some entities directly follow another, as without any.
    """
    num_types = len(name_features) - 1
    is_ridge = mapping.solver in ("ridge", "plain-ridge")
    if num_types < 2 or not is_ridge or not are_separate(support.targets, support.offsets):
        return None
    entities, learned = entity_support(support), mapping.hyperparameters
    prior = mapping.prior(mapping.label_vectors(name_features[1:], np.zeros(num_types, bool)))
    wide = np.zeros((support.features.shape[1] + 1, num_types), np.float32)
    wide[: len(prior) - 1], wide[-1] = prior[:-1], prior[-1]
    roots, alpha, ridge = word_roots(entities.targets), learned.alpha, learned.word_ridge
    if mapping.solver == "ridge":
        alpha, ridge = fit_word_hyperparameters(
            entities.features,
            entities.targets,
            entities.offsets,
            roots,
            wide,
            alpha=alpha,
            alpha_spread=learned.alpha_spread,
            ridge=ridge,
            inverse_temperature=learned.inverse_temperature,
        )
    weighted_prior = np.float32(alpha) * wide
    return Solution(regress(entities, weighted_prior, ridge, (), roots), weighted_prior, ridge)


def entity_support(support: Support) -> Support:
    """The entities of the examples: an item is an entity, its features the mean of those of its words.

    Args:
        support: The examples of a ``ner`` task, with at least one entity.

    Returns:
        The same sentences with their entities; the target of a type is one less than its label's slot.
    """
    starts = entity_starts(support.targets, support.offsets)
    inside = np.flatnonzero(support.targets > 0)
    firsts = np.searchsorted(inside, starts)
    lengths = np.diff(np.append(firsts, len(inside)))
    sums = np.add.reduceat(support.features[inside], firsts)
    return replace(
        support,
        features=(sums / lengths[:, None]).astype(np.float32),
        targets=support.targets[starts] - 1,
        offsets=np.searchsorted(starts, support.offsets),
    )


def type_dual_weights(types: Solution, support: Support, label: int) -> np.ndarray:
    """What every word of the support contributes to a type's score by the regression of entities.

    An entity contributes ``m² (y − h V) / λ``, with the root m of its weight, times its inner product with
    the features that are scored. Its features are the mean of those of its words, which share it evenly.

    Args:
        types: The mapping of entities to types.
        support: The examples of the task.
        label: The label's slot, from 1.

    Returns:
        Float32 ``(num_words,)``, zeros for words outside of entities.
    """
    entities, starts = entity_support(support), entity_starts(support.targets, support.offsets)
    num_types, type_ = types.weights.shape[1], label - 1
    scores = entities.features @ types.weights[:-1, type_] + types.prior[-1, type_]
    residuals = (entities.targets == type_) - 1.0 / num_types - scores
    assert types.ridge is not None
    of_entities = word_roots(entities.targets) ** 2 * residuals / types.ridge
    inside = np.flatnonzero(support.targets > 0)
    entity_of = np.searchsorted(starts, inside, side="right") - 1
    weights = np.zeros(len(support.targets), np.float32)
    weights[inside] = of_entities[entity_of] / np.bincount(entity_of)[entity_of]
    return weights


def leave_out_types(types: Solution, support: Support, groups: Sequence[np.ndarray]) -> np.ndarray:
    """Score every word by the mapping to types that knows none of its group's entities.

    A ridge regression without the rows B has the weights ``V − G⁻¹ H_Bᵀ (I − H_B G⁻¹ H_Bᵀ)⁻¹ r_B`` with
    ``G = Hᵀ H + λI`` and the residuals r (Allen 1974; Cook 1977). α and λ are kept.

    Args:
        types: The mapping of all examples, from ``fit_types``.
        support: The examples of the task.
        groups: The positions of the words that are left out together, each word in one group.

    Returns:
        ``(num_words, num_labels - 1)``.
    """
    entities, starts = entity_support(support), entity_starts(support.targets, support.offsets)
    roots = word_roots(entities.targets)[:, None].astype(np.float64)
    H = roots * entities.features
    num_types = types.weights.shape[1]
    residuals = roots * (np.eye(num_types)[entities.targets] - 1.0 / num_types)
    residuals -= H @ types.weights[:-1] + roots * types.prior[-1]
    assert types.ridge is not None
    solve_columns = _inverse_columns(H, types.ridge)
    scores = types.scores(support.features).astype(np.float64)
    group_of = np.empty(len(support.targets), int)
    for number, words in enumerate(groups):
        group_of[words] = number
    for number, words in enumerate(groups):
        own = np.flatnonzero(group_of[starts] == number)
        columns = solve_columns(own)
        change = np.linalg.solve(np.eye(len(own)) - H[own] @ columns, residuals[own])
        scores[words] -= support.features[words] @ (columns @ change)
    return scores


def _inverse_columns(H: np.ndarray, ridge: float) -> Callable[[np.ndarray], np.ndarray]:
    """``G⁻¹ H_Bᵀ`` as a function of rows B, by the smaller of the two matrices of products."""
    if len(H) <= H.shape[1]:
        # (Hᵀ H + λI)⁻¹ Hᵀ = Hᵀ (H Hᵀ + λI)⁻¹
        inverse = np.linalg.inv(H @ H.T + ridge * np.eye(len(H)))
        return lambda rows: np.asarray(H.T @ inverse[:, rows])
    inverse = np.linalg.inv(H.T @ H + ridge * np.eye(H.shape[1]))
    return lambda rows: np.asarray(inverse @ H[rows].T)
