"""Task features: what an encoder gives for the examples and the label names of a task.

state = encoded_again(featurizer.tuned(delta), state)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.state_changes import with_features
from metamapping.adaptation.tuning.list_tuning import with_list_features
from metamapping.corpus.tags import OUTSIDE


def encoded_again(featurizer: Featurizer, state: TaskState) -> TaskState:
    """The state of a task with the features that another encoder gives its examples and names.

    Args:
        featurizer: Encodes everything that the task has.
        state: The state to start from; its examples, those out of scope included, have texts.
    """
    if state.outside is not None:
        support = state.outside.support
        support = replace(support, features=featurizer.texts(*support.columns))
        state = replace(state, outside=replace(state.outside, support=support))
    if isinstance(state, MultiLabelState):
        return with_list_features(featurizer, state, *task_features(featurizer, state))
    return with_features(featurizer, state, *task_features(featurizer, state))


def task_features(featurizer: Featurizer, state: TaskState) -> tuple[np.ndarray, np.ndarray]:
    """The features of a task's examples and names by some encoder; all texts were stored.

    Args:
        featurizer: The encoder.
        state: The task; its features are not used.

    Returns:
        As ``with_features`` takes them.
    """
    names = np.zeros((len(state.names), featurizer.dim), np.float32)
    is_named = np.array([not (state.is_ner and label == OUTSIDE) for label in state.labels])
    names[is_named] = featurizer.names(
        [name for name, is_one in zip(state.names, is_named, strict=True) if is_one]
    )
    if state.is_ner:
        return featurizer.words(state.support.texts)[0], names
    return featurizer.texts(*state.support.columns), names
