"""Task state: what a mapping knows at one moment, as one value that is never changed.

Labels, the features of their names, the support, and the solution computed from them. The functions
give a new state; only texts and names that are new go through the encoder.

    state = blank_state(featurizer, "text-classification")
    state = with_examples(featurizer, state, examples, label_names={})
    state = without_label(featurizer, state, "refund")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from metamapping.adaptation.calibration import Calibration, calibrate, nearness
from metamapping.adaptation.closed_form import Solution, solve
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.support import Examples, Support, empty_support
from metamapping.config.sources import TaskType, readable_label
from metamapping.corpus.tags import OUTSIDE
from metamapping.models.encoder import NUM_VIEWS, NUM_WORD_VIEWS


@dataclass(frozen=True)
class TaskState:
    """A task's labels, examples and solution.

    ``names``: the words that the encoder reads labels as. ``name_features``: float32 ``(C, dim)``,
    zeros for "outside".
    """

    task_type: TaskType
    labels: tuple[str, ...]
    names: tuple[str, ...]
    name_features: np.ndarray
    support: Support
    solution: Solution
    calibration: Calibration

    @property
    def is_ner(self) -> bool:
        """Whether labels stand at words."""
        return self.task_type == "ner"

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Float32 ``(num_items, num_labels)``."""
        return self.calibration.probabilities(self.solution.scores(features))

    def confidence(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best label's slot of each text, and the probability that it is right.

        That is the probability that the text belongs to any label of the task, times that of the
        label among the labels.
        """
        scores = self.solution.scores(features)
        likely = self.calibration.probabilities(scores).max(axis=-1, initial=0.0)
        member = self.calibration.membership(nearness(features, scores, self.support))
        return scores.argmax(axis=-1), (likely * member).astype(np.float32)


def blank_state(featurizer: Featurizer, task_type: TaskType) -> TaskState:
    """A task of which nothing is known."""
    dim, num_views = featurizer.dim, NUM_WORD_VIEWS if task_type == "ner" else NUM_VIEWS
    nothing = np.zeros((num_views * dim + 1, 0), np.float32)
    return TaskState(
        task_type=task_type,
        labels=(),
        names=(),
        name_features=np.zeros((0, dim), np.float32),
        support=empty_support(dim, num_views),
        solution=Solution(nothing, nothing, ridge=1.0),
        calibration=Calibration(scale=1.0),
    )


def with_labels(
    featurizer: Featurizer, state: TaskState, labels: Sequence[str], label_names: Mapping[str, str]
) -> TaskState:
    """The task with more labels, or other words for its labels."""
    state = _named(featurizer, state, labels, label_names)
    return _solved(featurizer, state)


def with_examples(
    featurizer: Featurizer, state: TaskState, examples: Examples, label_names: Mapping[str, str]
) -> TaskState:
    """The task with more examples, whose labels may be new."""
    state.support.check_pairs(examples.text_pairs is not None)  # before the encoder spends its time
    kinds = (
        [tag[2:] or OUTSIDE for tags in examples.labels for tag in tags] if state.is_ner else examples.labels
    )
    state = _named(featurizer, state, kinds, label_names)
    slot = {label: i for i, label in enumerate(state.labels)}
    targets = np.asarray([slot[kind] for kind in kinds], np.int32)
    if state.is_ner:
        features, offsets = featurizer.words(examples.texts)
    else:
        features = featurizer.texts(examples.texts, examples.text_pairs)
        offsets = np.arange(len(features) + 1)
    support = state.support.plus(examples, features, offsets, targets)
    return _solved(featurizer, replace(state, support=support))


def without_examples(featurizer: Featurizer, state: TaskState, examples: Sequence[int]) -> TaskState:
    """The task without the examples of these numbers; its labels stay."""
    return _solved(featurizer, replace(state, support=state.support.without(examples)))


def without_label(featurizer: Featurizer, state: TaskState, label: str) -> TaskState:
    """The task without a label and its examples; for ``ner`` words of that type become outside."""
    removable = [each for each in state.labels if not (state.is_ner and each == OUTSIDE)]
    if label not in removable:
        raise ValueError(f"there is no label {label!r} to remove; labels: {', '.join(removable[:10])}")
    gone = state.labels.index(label)
    stays = [i for i in range(len(state.labels)) if i != gone]
    labels = tuple(state.labels[i] for i in stays)
    _check_labels(labels)
    support = state.support
    if not state.is_ner:
        support = support.without(np.flatnonzero(support.targets == gone).tolist())
    slots = np.arange(len(state.labels)) - (np.arange(len(state.labels)) > gone)
    slots[gone] = 0  # where "outside" stands
    state = replace(
        state,
        labels=labels,
        names=tuple(state.names[i] for i in stays),
        name_features=state.name_features[stays],
        support=support.with_targets(slots[support.targets]),
    )
    return _solved(featurizer, state)


def _named(
    featurizer: Featurizer, state: TaskState, labels: Sequence[str], label_names: Mapping[str, str]
) -> TaskState:
    """The state with ``labels`` among its own and features of all names; not solved again."""
    first = [OUTSIDE] if state.is_ner else []
    known = tuple(dict.fromkeys([*first, *state.labels, *labels]))
    _check_labels(known)
    unknown = sorted(set(label_names) - set(known))
    if unknown:
        raise ValueError(
            f"label_names names {unknown[0]!r}, which is no label here; labels: {', '.join(known[:10])}"
        )
    words = dict(zip(state.labels, state.names, strict=True)) | dict(label_names)
    names = tuple(readable_label(label, words) for label in known)
    features = np.zeros((len(known), featurizer.dim), np.float32)
    count = len(state.labels)
    features[:count] = state.name_features
    new = [
        i
        for i, name in enumerate(names)
        if (i >= count or name != state.names[i]) and not (state.is_ner and known[i] == OUTSIDE)
    ]
    if new:
        features[new] = featurizer.names([names[i] for i in new])
    return replace(state, labels=known, names=names, name_features=features)


def _solved(featurizer: Featurizer, state: TaskState) -> TaskState:
    mapping, support = featurizer.model.mapping, state.support
    is_outside = np.asarray([state.is_ner and label == OUTSIDE for label in state.labels])
    solution = solve(mapping, state.name_features, is_outside, support)
    scale = float(mapping.scale)
    if state.is_ner or not support.num_examples or solution.ridge is None:
        # Words of one sentence do not stand for one another, no example is no evidence, and only a
        # ridge regression tells what it would be without an example.
        return replace(state, solution=solution, calibration=Calibration(scale))
    return replace(state, solution=solution, calibration=calibrate(solution, support, learned_scale=scale))


def _check_labels(labels: Sequence[str]) -> None:
    if len(labels) < 2:
        raise ValueError(f"only one label ({', '.join(labels)}): a task needs at least two to choose between")
