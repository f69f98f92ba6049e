"""Tuning kinds: how a task of texts, of label lists or of named entities is judged when it is tuned.

kind = kind_of(state)
evidence = kind.evidence(featurizer, state, steps, kind.folds(state))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.state_changes import without_examples
from metamapping.adaptation.tuning.list_tuning import judged_list_folds, list_evidence, with_fewer_lists
from metamapping.adaptation.tuning.tuning_gate import Evidence, Fold, judged_folds, left_out_evidence
from metamapping.adaptation.tuning.word_gate import left_out_words, with_fewer_sentences, word_folds

if TYPE_CHECKING:  # this module imports TensorFlow
    from metamapping.adaptation.tuning.tuning_steps import TuningSteps


@dataclass(frozen=True)
class TuningKind:
    """What differs between kinds of tasks.

    Attributes:
        needed: What has to be there so that a gain can be estimated: the subject of a sentence, and "is".
        folds: The folds that say something about tuning; none if what is needed is not there.
        evidence: What leaving the folds' examples out shows.
        with_fewer: A state with about so many of its examples.
    """

    needed: str
    folds: Callable[[Any], list[Fold]]
    evidence: Callable[[Featurizer, Any, TuningSteps, Sequence[Fold]], Evidence]
    with_fewer: Callable[[Featurizer, Any, int], TaskState]


def kind_of(state: TaskState) -> TuningKind:
    """How a task is judged.

    Args:
        state: The task.
    """
    if state.is_ner:
        return _WORDS
    return _LISTS if state.is_multi_label else _TEXTS


def _with_fewer_texts(featurizer: Featurizer, state: TaskState, num_examples: int) -> TaskState:
    """The state with evenly many examples of each label."""
    targets = state.support.targets
    labels = np.unique(targets)
    per_label = max(2, num_examples // len(labels))
    extra = [np.flatnonzero(targets == label)[per_label:] for label in labels]
    return without_examples(featurizer, state, np.concatenate(extra).tolist())


_TEXTS = TuningKind(
    "two labels with three different examples each are", judged_folds, left_out_evidence, _with_fewer_texts
)
_LISTS = TuningKind(
    "a label that three texts have and others have not is", judged_list_folds, list_evidence, with_fewer_lists
)
_WORDS = TuningKind(
    "a type in three different sentences is", word_folds, left_out_words, with_fewer_sentences
)
