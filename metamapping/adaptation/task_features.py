"""Task features: what an encoder gives for the examples and the label names of a task.

state = with_features(featurizer, state, *task_features(featurizer, state))
"""

from __future__ import annotations

import numpy as np

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import TaskState
from metamapping.corpus.tags import OUTSIDE


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
