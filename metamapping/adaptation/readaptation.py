"""Readaptation: a task on another encoder, from the texts of its examples.

The features of a task belong to the encoder that computed them, so its texts are encoded again. Whether the
task is better or worse there is estimated from its own examples, each predicted from the others.

    moved = readapt(mapping, mapper)
    is_worse = left_out_accuracy(moved) < left_out_accuracy(mapping)
"""

from __future__ import annotations

from typing import Any

from metamapping.adaptation.state import empty_state, with_examples, with_labels
from metamapping.adaptation.support import Examples
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
        ValueError: The task was saved without its texts.
    """
    state, featurizer = mapping.state, mapper.featurizer
    support = state.support
    if None in support.texts or (support.text_pairs is not None and None in support.text_pairs):
        raise ValueError("the task was saved without the texts of its examples: adapt it again from them")
    is_type = [not (state.is_ner and label == OUTSIDE) for label in state.labels]
    labels = [label for label, is_wanted in zip(state.labels, is_type, strict=True) if is_wanted]
    named = zip(state.labels, state.names, is_type, strict=True)
    names = {str(label_text(label)): name for label, name, is_wanted in named if is_wanted}
    moved = with_labels(featurizer, empty_state(featurizer, state.task_type), labels, names)
    if support.num_examples:
        of_items: list[Any] = [state.labels[slot] for slot in support.targets]
        if state.is_ner:
            tags = [kind if kind == OUTSIDE else f"I-{kind}" for kind in of_items]
            bounds = zip(support.offsets, support.offsets[1:], strict=False)
            of_items = [tags[first:end] for first, end in bounds]
        pairs = None if support.text_pairs is None else [str(pair) for pair in support.text_pairs]
        moved = with_examples(featurizer, moved, Examples(list(support.texts), of_items, pairs), {})
    return Mapping(featurizer, moved)


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
