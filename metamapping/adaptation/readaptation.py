"""Readaptation: a task on another encoder, from the texts of its examples.

The features of a task belong to the encoder that computed them, so its texts are encoded again. Whether the
task is better or worse there is estimated from its own examples, each predicted from the others.

    moved = readapt(mapping, mapper)
    is_worse = left_out_accuracy(moved) < left_out_accuracy(mapping)
"""

from __future__ import annotations

from typing import Any

from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.multi_label.multi_label_mapping import MultiLabelMapping
from metamapping.adaptation.multi_label.multi_label_state import (
    MultiLabelState,
    empty_multi_label_state,
    with_label_lists,
)
from metamapping.adaptation.state import TaskState, empty_state
from metamapping.adaptation.state_changes import (
    add_labels,
    with_examples,
    with_grades,
    with_labels,
    with_out_of_scope,
)
from metamapping.adaptation.task_mapping import LoadedEncoder, Mapping
from metamapping.config.labels import label_text
from metamapping.corpus.tags import OUTSIDE


def readapt(mapping: Mapping, mapper: LoadedEncoder) -> Mapping:
    """Compute a task again on another encoder.

    Args:
        mapping: The task; it is left as it is.
        mapper: The other encoder.

    Returns:
        The same labels, names and examples on the other encoder.

    Raises:
        ValueError: The task was saved without its texts, or was tuned.
    """
    return adapt_state(mapping.state, mapper.featurizer)


def adapt_state(state: TaskState, featurizer: Featurizer) -> Mapping:
    """Compute a task again from its texts; its features and its solution are not used.

    Args:
        state: The task, possibly of another encoder.
        featurizer: The encoder to compute it with.

    Returns:
        The same labels, names and examples on that encoder.

    Raises:
        ValueError: The task was saved without its texts, or was tuned.
    """
    if state.tuning is not None and state.tuning.weight > 0:
        raise ValueError("the task is tuned, on the encoder that it has: adapt it again from its examples")
    examples, names = _examples(state), _names(state)
    if isinstance(state, MultiLabelState):
        empty = empty_multi_label_state(featurizer, state.task_type)
        # All labels first: they keep their order, and those without an example stay.
        empty = add_labels(featurizer, empty, state.labels, names)
        return MultiLabelMapping(featurizer, with_label_lists(featurizer, empty, examples, {}))
    labels = [label for label in state.labels if not (state.is_ner and label == OUTSIDE)]
    moved = empty_state(featurizer, state.task_type)
    if state.outside is not None:
        moved = with_out_of_scope(featurizer, moved, state.outside.label)
    if state.is_ordinal:
        moved = with_grades(featurizer, moved, labels, names)
    else:
        moved = with_labels(featurizer, moved, labels, names)
    if examples.texts:
        moved = with_examples(featurizer, moved, examples, {})
    return Mapping(featurizer, moved)


def _names(state: TaskState) -> dict[str, str]:
    """The words of each label, by label as text."""
    return {
        str(label_text(label)): name
        for label, name in zip(state.labels, state.names, strict=True)
        if not (state.is_ner and label == OUTSIDE)
    }


def _examples(state: TaskState) -> Examples:
    """The examples as they were given, those out of scope last. Raises ``ValueError`` without texts."""
    supports = [state.support, *([] if state.outside is None else [state.outside.support])]
    texts = [text for support in supports for text in support.texts]
    pairs = [pair for support in supports for pair in support.text_pairs or ()]
    if None in texts or None in pairs:
        raise ValueError("the task was saved without the texts of its examples: adapt it again from them")
    of_items: list[Any] = [state.label_of_item(item) for item in range(len(state.support.targets))]
    if state.is_ner:
        tags = [kind if kind == OUTSIDE else f"I-{kind}" for kind in of_items]
        bounds = zip(state.support.offsets, state.support.offsets[1:], strict=False)
        of_items = [tags[first:end] for first, end in bounds]
    if state.outside is not None:
        of_items += [state.outside.label] * state.outside.support.num_examples
    return Examples(texts, of_items, [str(pair) for pair in pairs] if pairs else None)


def left_out_accuracy(mapping: Mapping) -> float | None:
    """Estimate the accuracy of a task, for ``ner`` the F1 of entities, from its own examples.

    Args:
        mapping: The task.

    Returns:
        The mean over examples, each predicted from the others; ``None`` if that is not possible.
    """
    try:
        scores = mapping.cross_validate().scores.scores
    except ValueError:  # no examples, only one, or a solver that leaves nothing out
        return None
    return next(iter(scores.values())).mean
