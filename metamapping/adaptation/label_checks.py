"""Label checks: which labels of a task are probably wrong, whatever kind of labels it has.

check_labels(state, num=20)[0].suggested
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from metamapping.adaptation.label_noise import SuspiciousLabels, suspicious_labels
from metamapping.adaptation.label_noise_of_lists import suspicious_lists
from metamapping.adaptation.label_noise_of_words import suspicious_words
from metamapping.adaptation.multi_label_state import MultiLabelState
from metamapping.adaptation.state import TaskState


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
    if isinstance(state, MultiLabelState):
        return suspicious_lists(state, num=num, min_probability=min_probability, groups=groups)
    find = suspicious_words if state.is_ner else suspicious_labels
    return find(state, num=num, min_probability=min_probability, groups=groups)
