"""Task state: everything that a mapping knows at one moment, as one immutable value.

A state holds the labels, the features of their names, the support, the solution computed from them and
its calibration. ``state_changes`` has the functions that take a state and return a new one.

    state = empty_state(featurizer, "text-classification")
    state = with_examples(featurizer, state, examples, label_names={})
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from metamapping.adaptation.algebra.calibration import Calibration
from metamapping.adaptation.algebra.entity_types import (
    MIN_ENTITY_PROBABILITY,
    FoundEntity,
    WordScores,
    word_scores,
)
from metamapping.adaptation.algebra.nearness import nearness
from metamapping.adaptation.algebra.solution import Solution
from metamapping.adaptation.algebra.support import Outside, Support, empty_support
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.grades import GradeCuts, best_grades
from metamapping.adaptation.tuning.tuning_record import Tuning
from metamapping.config.sources import TaskType
from metamapping.corpus.labels import Label
from metamapping.corpus.tags import OUTSIDE
from metamapping.models.separate_entities import are_separate
from metamapping.models.view_layout import NUM_VIEWS, NUM_WORD_VIEWS


@dataclass(frozen=True)
class TaskState:
    """A task's labels, examples and solution.

    Attributes:
        task_type: The task type.
        labels: The labels in the order of their slots, all of one type; for ``ner`` strings, of which
            "outside" comes first.
        names: The words by which the encoder reads each label.
        name_features: Float32 ``(num_labels, dim)``, zeros for "outside".
        support: The examples.
        solution: The mapping computed from them.
        calibration: How the mapping's scores become probabilities.
        tuning: What tuning the encoder to the task decided; ``None`` if that was not asked for.
        outside: Examples of none of the labels; ``None`` if texts outside of the task have no label.
        is_ordinal: Whether the labels are grades, in their order.
        grade_cuts: Where one grade ends and the next begins; ``None`` without examples to fit them to.
        types: For ``ner`` the mapping of whole entities to types, from ``fit_types``.
    """

    task_type: TaskType
    labels: tuple[Label, ...]
    names: tuple[str, ...]
    name_features: np.ndarray
    support: Support
    solution: Solution
    calibration: Calibration
    tuning: Tuning | None = None
    outside: Outside | None = None
    is_ordinal: bool = False
    grade_cuts: GradeCuts | None = None
    types: Solution | None = None

    @property
    def is_tuned(self) -> bool:
        """Whether the encoder was tuned to the task's examples."""
        return self.tuning is not None and self.tuning.is_tuned

    @property
    def is_ner(self) -> bool:
        """Whether words are labelled, and not whole texts."""
        return self.task_type == "ner"

    @property
    def is_multi_label(self) -> bool:
        """Whether a text has any number of labels; see ``multi_label_state``."""
        return False

    @property
    def min_labels(self) -> int:
        """The number of labels below which there is nothing to decide."""
        return 2

    def label_of_item(self, item: int) -> Any:
        """The label of an item of the support, or the list of its labels.

        Args:
            item: Position of the item.
        """
        return self.labels[self.support.targets[item]]

    def dual_weights(self, label: int) -> np.ndarray:
        """What every item of the support contributes to a label's score, see ``Solution.dual_weights``.

        Args:
            label: The label's slot.

        Raises:
            ValueError: The solver is not a ridge regression.
        """
        return self.solution.dual_weights(self.support, label)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Compute the probabilities of items, given that each belongs to one of the labels.

        Args:
            features: Float32 ``(num_items, num_views * dim)``.

        Returns:
            Float32 ``(num_items, num_labels)``; rows sum to 1.
        """
        return self.probabilities_of(self.solution.scores(features))

    def probabilities_of(self, scores: np.ndarray) -> np.ndarray:
        """The probabilities of items with these scores.

        Args:
            scores: ``(num_items, num_labels)``.

        Returns:
            Float32 ``(num_items, num_labels)``; rows sum to 1.
        """
        probabilities = self.calibration.probabilities(scores)
        if self.grade_cuts is None or not len(scores):
            return probabilities
        return self.grade_cuts.mixed(scores, probabilities)

    def best_of(self, probabilities: np.ndarray) -> np.ndarray:
        """The predicted labels: the most probable ones, or of grades those of the smallest cost.

        Args:
            probabilities: ``(num_items, num_labels)``.

        Returns:
            Label slots ``(num_items,)``.
        """
        best: np.ndarray = best_grades(probabilities) if self.is_ordinal else probabilities.argmax(axis=-1)
        return best

    def best(self, scores: np.ndarray) -> np.ndarray:
        """The predicted labels of items with these scores, as ``best_of``.

        Args:
            scores: ``(num_items, num_labels)``.
        """
        best: np.ndarray = scores.argmax(axis=-1)
        return self.best_of(self.probabilities_of(scores)) if self.is_ordinal else best

    def confidence(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The predicted labels of texts, and the probability that each is right.

        The confidence is the probability that the text belongs to any label of the task, times the
        probability of the predicted label among the task's labels.

        Args:
            features: Float32 ``(num_texts, num_views * dim)``.

        Returns:
            Label slots ``(num_texts,)`` and confidences, float32 ``(num_texts,)``.
        """
        scores = self.solution.scores(features)
        best, probabilities = self.best(scores), self.probabilities_of(scores)
        own = probabilities[np.arange(len(best)), best]
        scores_of_solver = self.solution.solver_scores(features)
        near = nearness(features, scores_of_solver, self.support, by_mean=self.calibration.by_mean)
        membership = self.calibration.membership(near)
        return best, (own * membership).astype(np.float32)

    def label_shares(self) -> np.ndarray:
        """The share of each label among the examples, float32 ``(num_labels,)``.

        One is added to each count, so that labels without examples have a share too (the rule of succession).
        """
        counts = np.bincount(self.support.targets, minlength=len(self.labels)) + 1
        shares: np.ndarray = (counts / counts.sum()).astype(np.float32)
        return shares

    @cached_property
    def has_separate_entities(self) -> bool:
        """Whether few entities of the examples directly follow another, so that none is predicted to."""
        return self.is_ner and are_separate(self.support.targets, self.support.offsets)

    def word_scores(self, features: np.ndarray) -> WordScores:
        """Compute the scores of the words of any number of texts.

        Args:
            features: Float32 ``(num_words, width)``.
        """
        return word_scores(self.solution, self.types, features)

    def entities(self, scores: WordScores, min_probability: float | None = None) -> list[FoundEntity]:
        """The entities of one text.

        Args:
            scores: The scores of its words.
            min_probability: Less probable entities are left out. Default: 0.25, or 0 without examples, when
                names alone make all entities improbable.
        """
        if min_probability is None:
            min_probability = MIN_ENTITY_PROBABILITY if self.support.num_examples else 0.0
        return scores.entities(
            scale=self.calibration.scale,
            is_separate=self.has_separate_entities,
            min_probability=min_probability,
        )

    def found_at(self, scores: WordScores, word: int) -> tuple[int, float | None]:
        """The label slot of the entity that a word is part of, however improbable.

        Args:
            scores: The scores of the words of one text.
            word: Position of the word.

        Returns:
            The slot, 0 for a word outside of entities; and the entity's probability if it is left out.
        """
        kept = {entity.first for entity in self.entities(scores)}
        for first, end, slot, probability in self.entities(scores, 0.0):
            if first <= word < end:
                return slot, None if first in kept else probability
        return 0, None

    def decode(self, scores: WordScores) -> np.ndarray:
        """The label slots of the words of one text, those of the entities that are probable enough.

        Args:
            scores: The scores of the words.

        Returns:
            Int64 ``(num_words,)``.
        """
        slots = np.zeros(len(scores.labels), np.int64)
        for first, end, slot, _ in self.entities(scores):
            slots[first:end] = slot
        return slots

    def bio_tags(self, scores: WordScores, threshold: float | None) -> list[str]:
        """BIO tags of the words of one text, decoded jointly.

        Adjacent words of the same type form one entity; where the task has separate entities, of any type.

        Args:
            scores: The scores of the words.
            threshold: Words whose decoded label has a lower probability become "O". Default: entities that
                are not probable enough do.
        """
        if threshold is None:
            slots = self.decode(scores)
        else:
            slots = scores.decode(is_separate=self.has_separate_entities)
            probabilities = self.calibration.probabilities(scores.labels)
            is_sure = probabilities[np.arange(len(slots)), slots] >= threshold
            slots = np.where(is_sure, slots, 0)
        types = [str(self.labels[slot]) for slot in slots]
        previous_types = [OUTSIDE, *types]
        return [
            OUTSIDE if kind == OUTSIDE else f"{'I' if kind == previous else 'B'}-{kind}"
            for kind, previous in zip(types, previous_types, strict=False)
        ]


State = TypeVar("State", bound=TaskState)


def empty_state(featurizer: Featurizer, task_type: TaskType) -> TaskState:
    """The state of a task without labels or examples, for features of this featurizer."""
    dim, num_views = featurizer.dim, NUM_WORD_VIEWS if task_type == "ner" else NUM_VIEWS
    no_weights = np.zeros((num_views * dim + 1, 0), np.float32)
    return TaskState(
        task_type=task_type,
        labels=(),
        names=(),
        name_features=np.zeros((0, dim), np.float32),
        support=empty_support(dim, num_views),
        solution=Solution(no_weights, no_weights, ridge=1.0),
        calibration=Calibration(scale=1.0),
    )
