"""Label checks: which labels of a task are probably wrong, whatever kind of labels it has.

check_labels(state, num=20)[0].suggested
check_labels(unfitted_state(featurizer, "text-classification", examples, {}))    # examples without a task
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from metamapping.adaptation.algebra import runtime_solution
from metamapping.adaptation.algebra.calibration import Calibration
from metamapping.adaptation.algebra.plain_mapping import plain_mapping
from metamapping.adaptation.algebra.support import Examples, LabelListExamples
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.label_checks.label_noise_of_lists import judge_lists
from metamapping.adaptation.label_checks.label_noise_of_texts import judge_texts
from metamapping.adaptation.label_checks.label_noise_of_words import judge_words
from metamapping.adaptation.label_checks.suspicious_labels import Findings, SuspiciousLabels
from metamapping.adaptation.multi_label.multi_label_state import (
    MultiLabelState,
    empty_multi_label_state,
    with_label_lists,
)
from metamapping.adaptation.state import TaskState, empty_state
from metamapping.adaptation.state_changes import add_examples, with_examples
from metamapping.config.sources import TaskType
from metamapping.runtime.mapping import LearnedMapping


def check_labels(
    state: TaskState,
    *,
    num: int | None = None,
    min_probability: float = 0.5,
    groups: Sequence[Any] | None = None,
) -> SuspiciousLabels:
    """Find the examples whose label the others contradict.

    Args:
        state: A task with examples.
        num: How many to return, whatever their probability. Default: all from ``min_probability``.
        min_probability: The lowest probability of being wrong that is returned, from 0 to 1.
        groups: The group of each example; the examples of a group do not judge one another.

    Returns:
        The examples, the highest probability first: texts, texts with lists of labels, or places in the
        sentences of a ``ner`` task.

    Raises:
        ValueError: A number is out of range, or as ``left_out.left_out_scores``.
    """
    check_wanted(num, min_probability)
    return _judge(state, groups).first(num=num, min_probability=min_probability)


def unfitted_state(
    featurizer: Featurizer, task_type: TaskType, examples: Examples, label_names: dict[str, str]
) -> TaskState:
    """The state of examples whose labels are to be checked, and no more.

    Where each text has one label, nothing is fitted to them: their labels are judged by ridge regression with
    the encoder's hyperparameters, and neither a mixture nor a calibration is needed for that.

    Args:
        featurizer: Encodes the texts and names.
        task_type: The task type.
        examples: The examples.
        label_names: Readable words by label as text.

    Raises:
        ValueError: The examples cannot be learned from.
    """
    if isinstance(examples, LabelListExamples):
        return with_label_lists(
            featurizer, empty_multi_label_state(featurizer, task_type), examples, label_names
        )
    if task_type == "ner":
        return with_examples(featurizer, empty_state(featurizer, task_type), examples, label_names)
    state = add_examples(featurizer, empty_state(featurizer, task_type), examples, label_names)
    return solved_unfitted(plain_mapping(featurizer.model.mapping), state)


def solved_unfitted(learned: LearnedMapping, state: TaskState) -> TaskState:
    """The state of a task of texts by ridge regression with the encoder's hyperparameters.

    Args:
        learned: The meta-learned mapping.
        state: A state with examples; its solution and calibration are not read.
    """
    if learned.solver == "ridge":
        learned = replace(learned, solver="plain-ridge")
    is_outside = np.zeros(len(state.labels), bool)
    solution = runtime_solution.solve(learned, state.name_features, is_outside, state.support)
    scale = learned.hyperparameters.inverse_temperature
    return replace(state, solution=solution, calibration=Calibration(scale))


def check_wanted(num: int | None, min_probability: float) -> None:
    """Check what a user asks for.

    Args:
        num: How many labels to return.
        min_probability: The lowest probability of being wrong.

    Raises:
        ValueError: One of them is out of range.
    """
    if num is not None and num < 1:
        raise ValueError(f"num is {num}: expected at least 1")
    if not 0 <= min_probability <= 1:
        raise ValueError(f"min_probability is {min_probability}: expected a probability, from 0 to 1")


def _judge(state: TaskState, groups: Sequence[Any] | None) -> Findings:
    if isinstance(state, MultiLabelState):
        return judge_lists(state, groups)
    return judge_words(state, groups) if state.is_ner else judge_texts(state, groups)
