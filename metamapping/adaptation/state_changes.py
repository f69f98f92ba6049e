"""State changes: from one state of a task to the next.

Every function returns a new state, solved again. Only new texts and new names go through the encoder.

    state = with_examples(featurizer, empty_state(featurizer, "sentiment-analysis"), examples, label_names={})
    state = without_label(featurizer, state, "refund")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from metamapping.adaptation.algebra.support import Examples, Outside, empty_support
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.grades import check_grades
from metamapping.adaptation.solving import solved
from metamapping.adaptation.state import TaskState
from metamapping.config.labels import label_text
from metamapping.config.sources import readable_label
from metamapping.corpus.labels import Label, label_kind
from metamapping.corpus.tags import OUTSIDE
from metamapping.errors import listed
from metamapping.models.view_layout import NUM_VIEWS

State = TypeVar("State", bound=TaskState)


def with_labels(
    featurizer: Featurizer, state: TaskState, labels: Sequence[Label], label_names: dict[str, str]
) -> TaskState:
    """The state after adding labels, or giving existing labels other names.

    Args:
        featurizer: Encodes the new names.
        state: The state to start from.
        labels: Labels to add; those already there are kept once.
        label_names: Readable words by label as text.

    Raises:
        ValueError: The task has fewer than two labels, the new labels are of another type than the old ones,
            or a name is given for an unknown label.
    """
    return solved(featurizer, add_labels(featurizer, state, labels, label_names))


def with_examples(
    featurizer: Featurizer, state: TaskState, examples: Examples, label_names: dict[str, str]
) -> TaskState:
    """The state after adding examples, whose labels may be new.

    Args:
        featurizer: Encodes the new texts and names.
        state: The state to start from.
        examples: The examples to add.
        label_names: Readable words by label as text.

    Raises:
        ValueError: A text is empty, some examples would be pairs and others single texts, or as for
            ``with_labels``.
    """
    added = add_examples(featurizer, state, examples, label_names)
    # Examples that belong to no label change nothing of the solution.
    return added if added.support is state.support else solved(featurizer, added)


def add_examples(
    featurizer: Featurizer, state: TaskState, examples: Examples, label_names: dict[str, str]
) -> TaskState:
    """The state with more examples, but not solved again.

    Args:
        featurizer: Encodes the new texts and names.
        state: The state to start from.
        examples: The examples to add.
        label_names: Readable words by label as text.

    Raises:
        ValueError: As for ``with_examples``.
    """
    # Checked first, because encoding takes time.
    for support in (state.support, *([] if state.outside is None else [state.outside.support])):
        support.check_pairs(examples.text_pairs is not None)
    check_not_empty(featurizer, examples, is_ner=state.is_ner)
    if state.outside is not None:
        inside, outside = _split(examples, state.outside.label)
        state = _with_outside(featurizer, state, state.outside, outside)
        if state.labels and not inside.texts and not label_names:
            return state
        examples = inside
    if state.is_ordinal:
        check_grades(examples.labels, state.labels)
    item_labels = (
        [tag[2:] or OUTSIDE for tags in examples.labels for tag in tags] if state.is_ner else examples.labels
    )
    state = add_labels(featurizer, state, item_labels, label_names)
    slot_of = {label: slot for slot, label in enumerate(state.labels)}
    targets = np.asarray([slot_of[label] for label in item_labels], np.int32)
    if state.is_ner:
        features, offsets = featurizer.words(examples.texts)
    else:
        features = featurizer.texts(examples.texts, examples.text_pairs)
        offsets = np.arange(len(features) + 1)
    support = state.support.plus(examples, features, offsets, targets)
    return replace(state, support=support)


def with_features(
    featurizer: Featurizer, state: TaskState, features: np.ndarray, name_features: np.ndarray
) -> TaskState:
    """The state of a task with other features of the same examples and names.

    Args:
        featurizer: Has the meta-learned mapping; nothing is encoded.
        state: The state to start from.
        features: Float32 ``(num_items, num_views * dim)``.
        name_features: Float32 ``(num_labels, dim)``; zeros for "outside".
    """
    support = replace(state.support, features=features)
    return solved(featurizer, replace(state, support=support, name_features=name_features))


def with_grades(
    featurizer: Featurizer, state: TaskState, grades: Sequence[Label], label_names: dict[str, str]
) -> TaskState:
    """The state of a task whose labels are grades.

    Args:
        featurizer: Encodes the names.
        state: A state without labels.
        grades: The labels in their order.
        label_names: Readable words by label as text.

    Raises:
        ValueError: It is a ``ner`` task, or as for ``with_labels``.
    """
    if state.is_ner:
        raise ValueError("ordinal is for tasks with one label for each text: ner has types without an order")
    if state.outside is not None and any(_is_same(grade, state.outside.label) for grade in grades):
        raise ValueError(
            f"{state.outside.label!r} is one of the grades and also out_of_scope: leave it out of one of them"
        )
    return replace(add_labels(featurizer, state, grades, label_names), is_ordinal=True)


def with_out_of_scope(featurizer: Featurizer, state: TaskState, label: Label) -> TaskState:
    """The state of a task whose examples with this label belong to none of its labels.

    Args:
        featurizer: The encoder.
        state: A state without examples.
        label: The label of such examples.

    Raises:
        ValueError: It is a ``ner`` task.
    """
    if state.is_ner:
        raise ValueError("out_of_scope is for tasks with one label for each text: in ner, O is no entity")
    return replace(state, outside=Outside(label, empty_support(featurizer.dim, NUM_VIEWS)))


def _split(examples: Examples, label: Label) -> tuple[Examples, Examples]:
    """The examples without this label, and those with it."""
    is_outside = [_is_same(each, label) for each in examples.labels]
    parts = []
    for wanted in (False, True):
        rows = [i for i, each in enumerate(is_outside) if each == wanted]
        pairs = examples.text_pairs
        parts.append(
            Examples(
                [examples.texts[i] for i in rows],
                [examples.labels[i] for i in rows],
                None if pairs is None else [pairs[i] for i in rows],
            )
        )
    return parts[0], parts[1]


def _is_same(label: Label, other: Label) -> bool:
    """Whether two labels are equal and of one type: in Python, True == 1."""
    return label == other and label_kind(label) == label_kind(other)


def _with_outside(
    featurizer: Featurizer, state: TaskState, outside: Outside, examples: Examples
) -> TaskState:
    if not examples.texts:
        return state
    features = featurizer.texts(examples.texts, examples.text_pairs)
    offsets, targets = np.arange(len(features) + 1), np.zeros(len(features), np.int32)
    support = outside.support.plus(examples, features, offsets, targets)
    return replace(state, outside=Outside(outside.label, support))


def without_examples(featurizer: Featurizer, state: TaskState, examples: Sequence[int]) -> TaskState:
    """The state without the examples at these positions; all labels stay.

    Args:
        featurizer: Has the meta-learned mapping; nothing is encoded.
        state: The state to start from.
        examples: Positions of examples, from 0.
    """
    return solved(featurizer, replace(state, support=state.support.without(examples)))


def without_label(featurizer: Featurizer, state: TaskState, label: Label) -> TaskState:
    """The state without a label and its examples; for ``ner`` the type's words become "outside".

    Args:
        featurizer: Has the meta-learned mapping; nothing is encoded.
        state: The state to start from.
        label: The label to remove, of the same type as the task's labels.

    Raises:
        ValueError: There is no such label, or fewer than two labels would be left.
    """
    if state.outside is not None and _is_same(label, state.outside.label):
        return replace(state, outside=None)
    removable = [each for each in state.labels if not (state.is_ner and each == OUTSIDE)]
    # True == 1 in Python: the types are compared as well.
    if label not in removable or label_kind(label) != label_kind(removable[0]):
        raise ValueError(f"there is no label {label!r} to remove; labels: {listed(removable)}")
    removed = state.labels.index(label)
    kept = [slot for slot in range(len(state.labels)) if slot != removed]
    labels = tuple(state.labels[slot] for slot in kept)
    _check_labels(labels, state)
    support = state.support
    if not state.is_ner:
        support = support.without(np.flatnonzero(support.targets == removed).tolist())
    new_slots = np.arange(len(state.labels)) - (np.arange(len(state.labels)) > removed)
    new_slots[removed] = 0  # the slot of "outside"; only words can still have the removed label
    state = replace(
        state,
        labels=labels,
        names=tuple(state.names[slot] for slot in kept),
        name_features=state.name_features[kept],
        support=support.with_targets(new_slots[support.targets]),
    )
    return solved(featurizer, state)


def add_labels(
    featurizer: Featurizer, state: State, labels: Sequence[Label], label_names: dict[str, str]
) -> State:
    """The state with ``labels`` and the features of all names, but not solved again.

    Args:
        featurizer: Encodes the new names.
        state: The state to start from.
        labels: Labels to add; those already there are kept once.
        label_names: Readable words by label as text.

    Raises:
        ValueError: As for ``with_labels``.
    """
    if state.labels and labels and label_kind(labels[0]) != (known_kind := label_kind(state.labels[0])):
        raise ValueError(
            f"the label {labels[0]!r} is a {label_kind(labels[0])}, but the task's labels are {known_kind}s "
            f"({listed(state.labels)}): give {known_kind}s"
        )
    if state.outside is not None and labels and label_kind(labels[0]) != label_kind(state.outside.label):
        raise ValueError(
            f"the label {labels[0]!r} is a {label_kind(labels[0])}, but out_of_scope is "
            f"{state.outside.label!r}, a {label_kind(state.outside.label)}: give both in one type"
        )
    first = [OUTSIDE] if state.is_ner else []
    known = tuple(dict.fromkeys([*first, *state.labels, *labels]))
    _check_labels(known, state)
    texts = [str(label_text(label)) for label in known]
    unknown = sorted(set(label_names) - set(texts))
    if unknown:
        raise ValueError(
            f"label_names has a name for {unknown[0]!r}, which is not a label of the task; labels: "
            f"{listed(known)}"
        )
    known_names = dict(zip(texts[: len(state.labels)], state.names, strict=True))
    words = known_names | label_names
    names = tuple(readable_label(text, words) for text in texts)
    features = np.zeros((len(known), featurizer.dim), np.float32)
    count = len(state.labels)
    features[:count] = state.name_features
    changed = [
        slot
        for slot, name in enumerate(names)
        if (slot >= count or name != state.names[slot]) and not (state.is_ner and known[slot] == OUTSIDE)
    ]
    if changed:
        features[changed] = featurizer.names([names[slot] for slot in changed])
    return replace(state, labels=known, names=names, name_features=features)


def check_not_empty(featurizer: Featurizer, examples: Examples, *, is_ner: bool) -> None:
    """Check that no text is empty.

    Args:
        featurizer: Cleans the texts.
        examples: The examples.
        is_ner: Whether texts are lists of words.

    Raises:
        ValueError: Texts are empty, or have no words; the message has the positions of all.
    """
    for what, texts in (("text", examples.texts), ("text_pair", examples.text_pairs or [])):
        is_empty = [not words for words in texts] if is_ner else featurizer.is_empty(texts)
        empty = np.flatnonzero(is_empty).tolist()
        if not empty:
            continue
        reason = "without words" if is_ner else "empty"
        if not is_ner and any(texts[i].strip() for i in empty):
            reason = "empty after cleaning"
        if len(empty) == 1:
            raise ValueError(f"{what} {empty[0]} is {reason}: drop the row or give it a text")
        raise ValueError(f"{what}s {listed(empty)} are {reason}: drop the rows or give them texts")


def _check_labels(labels: Sequence[Label], state: TaskState) -> None:
    if state.is_ner and not set(labels) - {OUTSIDE}:
        raise ValueError(
            "no example has an entity, so that there is no type to find: give one that has, or use zero_shot "
            "with the types"
        )
    if not labels:
        raise ValueError("no example has a label of the task: a task needs at least two to choose between")
    if len(labels) < state.min_labels:
        raise ValueError(f"only one label ({listed(labels)}): a task needs at least two to choose between")
