"""The state of a task whose texts have any number of labels, none included.

It is a ``TaskState`` whose support has the targets ``(num_texts, num_labels)`` of ones and zeros.

    state = empty_multi_label_state(featurizer)
    state = with_label_lists(featurizer, state, Examples(texts, [["login", "urgent"], []], None), {})
    state.label_lists(state.probabilities(features))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from metamapping.adaptation.algebra.calibration import Calibration
from metamapping.adaptation.algebra.plain_mapping import plain_mapping
from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.left_out import LeftOutRegression
from metamapping.adaptation.multi_label.label_decisions import LabelDecisions, decide, undecided
from metamapping.adaptation.multi_label.multi_label import solve_columns
from metamapping.adaptation.state import TaskState, empty_state
from metamapping.adaptation.state_changes import add_labels, check_not_empty
from metamapping.config.sources import TaskType
from metamapping.corpus.labels import Label, label_kind
from metamapping.errors import listed
from metamapping.runtime.mapping import LearnedMapping


@dataclass(frozen=True)
class MultiLabelState(TaskState):
    """A task's labels, examples and solution; its texts have any number of labels.

    Attributes:
        decisions: How each label's scores become its probability and a decision.
    """

    decisions: LabelDecisions = field(kw_only=True)

    @property
    def is_multi_label(self) -> bool:
        """Whether a text has any number of labels."""
        return True

    @property
    def min_labels(self) -> int:
        """One label is a task as well: a text has it, or not."""
        return 1

    def label_of_item(self, item: int) -> list[Label]:
        """The labels of a text of the support.

        Args:
            item: Position of the text.
        """
        return self.label_lists(self.support.targets[item][None] > 0)[0]

    def label_lists(self, chosen: np.ndarray) -> list[list[Label]]:
        """The labels of texts as lists, in the order of ``labels``.

        Args:
            chosen: Bool ``(num_texts, num_labels)``.
        """
        return [[self.labels[slot] for slot in np.flatnonzero(row)] for row in chosen]

    def dual_weights(self, label: int) -> np.ndarray:
        """What every text of the support contributes to a label's score: ``(y − H V) / λ``.

        Args:
            label: The label's slot.
        """
        weights = self.solution.weights
        scores = self.support.features @ weights[:-1, label] + weights[-1, label]
        assert self.solution.ridge is not None
        dual: np.ndarray = (self.support.targets[:, label] - scores) / self.solution.ridge
        return dual.astype(np.float32)

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Compute the probability of each label, independent of the others.

        Args:
            features: Float32 ``(num_texts, num_views * dim)``.

        Returns:
            Float32 ``(num_texts, num_labels)``.
        """
        return self.decisions.probabilities(self.solution.scores(features))

    def label_shares(self) -> np.ndarray:
        """The share of the examples that have each label, float32 ``(num_labels,)``."""
        targets = self.support.targets
        shares: np.ndarray = ((targets.sum(axis=0) + 1) / (len(targets) + 2)).astype(np.float32)
        return shares


def set_confidence(probabilities: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The probability that all labels of a text are decided correctly, if they are independent.

    Args:
        probabilities: ``(num_texts, num_labels)``.
        chosen: Bool ``(num_texts, num_labels)``.

    Returns:
        Float32 ``(num_texts,)``.
    """
    confidence: np.ndarray = np.where(chosen, probabilities, 1.0 - probabilities).prod(axis=-1)
    return confidence.astype(np.float32)


def empty_multi_label_state(featurizer: Featurizer, task_type: TaskType) -> MultiLabelState:
    """The state of a task without labels or examples.

    Args:
        featurizer: The encoder.
        task_type: ``text-classification`` or ``sentiment-analysis``.

    Raises:
        ValueError: The task type or the encoder's solver does not allow several labels.
    """
    if task_type == "ner":
        raise ValueError("several labels are for texts, but ner labels words: leave multi_label out")
    solver = featurizer.model.mapping.solver
    if solver not in ("ridge", "plain-ridge"):
        raise ValueError(
            f"several labels need an encoder of the solver `ridge` or `plain-ridge`, and this one has "
            f"`{solver}`: give one label for each text, or another encoder"
        )
    state = empty_state(featurizer, task_type)
    support = replace(state.support, targets=np.zeros((0, 0), np.int32))
    return MultiLabelState(**{**vars(state), "support": support}, decisions=undecided(0, 1.0))


def with_label_lists(
    featurizer: Featurizer, state: MultiLabelState, examples: Examples, label_names: dict[str, str]
) -> MultiLabelState:
    """The state after adding examples, whose labels may be new.

    Args:
        featurizer: Encodes the new texts and names.
        state: The state to start from.
        examples: The examples to add, with a list of labels each.
        label_names: Readable words by label as text.

    Raises:
        ValueError: A text is empty, no text has a label, some examples would be pairs and others single
            texts, the new labels are of another type, or a name is given for an unknown label.
    """
    state.support.check_pairs(examples.text_pairs is not None)
    check_not_empty(featurizer, examples, is_ner=False)
    given = [label for row in examples.labels for label in row]
    if not given and not state.labels:
        raise ValueError("no text has a label: give at least one text a label")
    state = _widened(add_labels(featurizer, state, given, label_names))
    slot_of = {label: slot for slot, label in enumerate(state.labels)}
    targets = np.zeros((len(examples.labels), len(state.labels)), np.int32)
    for row, labels in enumerate(examples.labels):
        targets[row, [slot_of[label] for label in labels]] = 1
    features = featurizer.texts(examples.texts, examples.text_pairs)
    support = state.support.plus(examples, features, np.arange(len(features) + 1), targets)
    return _solved(featurizer, replace(state, support=support))


def without_label_lists(
    featurizer: Featurizer, state: MultiLabelState, examples: Sequence[int]
) -> MultiLabelState:
    """The state without the examples at these positions; all labels stay.

    Args:
        featurizer: Has the meta-learned mapping; nothing is encoded.
        state: The state to start from.
        examples: Positions of examples, from 0.
    """
    return _solved(featurizer, replace(state, support=state.support.without(examples)))


def without_label_column(featurizer: Featurizer, state: MultiLabelState, label: Label) -> MultiLabelState:
    """The state without a label; its examples stay, with their other labels or with none.

    Args:
        featurizer: Has the meta-learned mapping; nothing is encoded.
        state: The state to start from.
        label: The label to remove, of the same type as the task's labels.

    Raises:
        ValueError: There is no such label, or no label would be left.
    """
    if label not in state.labels or label_kind(label) != label_kind(state.labels[0]):
        raise ValueError(f"there is no label {label!r} to remove; labels: {listed(state.labels)}")
    if len(state.labels) == 1:
        raise ValueError(f"only one label ({listed(state.labels)}) is left: a task needs at least one")
    removed = state.labels.index(label)
    kept = [slot for slot in range(len(state.labels)) if slot != removed]
    return _solved(
        featurizer,
        replace(
            state,
            labels=tuple(state.labels[slot] for slot in kept),
            names=tuple(state.names[slot] for slot in kept),
            name_features=state.name_features[kept],
            support=state.support.with_targets(state.support.targets[:, kept]),
            decisions=state.decisions.without(removed),
        ),
    )


def left_out_label_scores(state: MultiLabelState, *, groups: Sequence[Any] | None = None) -> np.ndarray:
    """Score every example by the mapping of the others: ``(num_texts, num_labels)``.

    Args:
        state: A task with examples.
        groups: The group of each example, which are left out together. Default: copies of one text are.

    Raises:
        ValueError: As ``left_out.left_out_scores``.
    """
    first = state.support.features[:, 0].tolist()
    if groups is None and 1 < len(set(first)) < len(first):
        groups = first
    return LeftOutRegression(state, groups=groups).scores(state.support.targets)


def _widened(state: MultiLabelState) -> MultiLabelState:
    """The state with a column of targets for every label; those of new labels are zeros."""
    targets = state.support.targets
    widened = np.zeros((len(targets), len(state.labels)), np.int32)
    widened[:, : targets.shape[1]] = targets
    return replace(state, support=state.support.with_targets(widened))


def _solved(featurizer: Featurizer, state: MultiLabelState) -> MultiLabelState:
    """The state with the solution and the decisions that follow from its labels and support."""
    return solved_lists(plain_mapping(featurizer.model.mapping), state)


def solved_lists(learned: LearnedMapping, state: MultiLabelState) -> MultiLabelState:
    """The state with the solution and the decisions that follow from its labels and support.

    Args:
        learned: The meta-learned mapping.
        state: A state with label names and their features; its solution is not read. Its decisions are kept
            if it is tuned, because they were fitted to texts that the layers did not know.
    """
    solution = solve_columns(learned, state.name_features, state.support)
    state = replace(state, solution=solution, calibration=Calibration(learned.inverse_temperature))
    if state.is_tuned:
        return replace(state, decisions=state.decisions.widened(len(state.labels)))
    decisions = undecided(len(state.labels), learned.inverse_temperature)
    if state.support.num_examples > 1:
        scores = left_out_label_scores(state)
        decisions = decide(scores, state.support.targets, inverse_temperature=learned.inverse_temperature)
    return replace(state, decisions=decisions)
