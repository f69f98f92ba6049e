"""Errors: the labelled texts that a task predicts wrongly, the surest first, with what each rests on.

errors = text_errors(state, state.probabilities(features), examples, is_empty)
errors = with_explanations(state, errors, features, items=[error.index for error in errors], num_examples=3)
errors[0].text, errors[0].predicted, errors[0].explanation[0].text
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from metamapping.adaptation.algebra.entity_types import WordScores
from metamapping.adaptation.algebra.support import Examples
from metamapping.adaptation.entity_scores import entity_spans
from metamapping.adaptation.explanation import explain
from metamapping.adaptation.results import Error
from metamapping.adaptation.state import TaskState
from metamapping.config.labels import label_text
from metamapping.corpus.tags import OUTSIDE


def text_errors(
    state: TaskState,
    probabilities: np.ndarray,
    examples: Examples,
    is_empty: np.ndarray,
    *,
    is_outside: np.ndarray | None = None,
) -> list[Error]:
    """The texts whose predicted label is not the given one.

    Args:
        state: A task of texts.
        probabilities: ``(num_texts, num_labels)``.
        examples: The texts with their labels.
        is_empty: Booleans ``(num_texts,)``: such texts get no label, which is wrong.
        is_outside: Booleans ``(num_texts,)``: such texts are answered with the task's ``out_of_scope``.

    Returns:
        The errors; those with the highest probability of the wrong label come first.
    """
    slots = state.best_of(probabilities)
    predicted = [state.labels[slot] for slot in slots]
    highest = probabilities[np.arange(len(slots)), slots]
    if is_outside is not None and state.outside is not None:
        outside = zip(predicted, is_outside, strict=True)
        predicted = [state.outside.label if each else label for label, each in outside]
        highest = np.where(is_outside, 1.0 - highest, highest)
    pairs = zip(predicted, examples.labels, strict=True)
    is_wrong = np.array([label_text(label) != label_text(gold) for label, gold in pairs], bool)
    errors = [
        Error(
            index=int(i),
            text=examples.texts[i],
            label=examples.labels[i],
            predicted=None if is_empty[i] else predicted[i],
            probability=0.0 if is_empty[i] else float(highest[i]),
            text_pair=None if examples.text_pairs is None else examples.text_pairs[i],
        )
        for i in np.flatnonzero(is_wrong | is_empty)
    ]
    return sorted(errors, key=lambda error: -error.probability)


def word_errors(state: TaskState, scores: Sequence[WordScores], examples: Examples) -> list[Error]:
    """The sentences of which an entity is missed, made up, or has another type or other ends.

    Args:
        state: A ``ner`` task.
        scores: The scores of each sentence's words.
        examples: The sentences with their BIO tags.

    Returns:
        The errors; those with the highest probability of a wrong word come first.
    """
    errors = []
    for i, (words, tags) in enumerate(zip(examples.texts, examples.labels, strict=True)):
        predicted = state.bio_tags(scores[i], None)
        if entity_spans(0, tags) == entity_spans(0, predicted):
            continue
        slots = [_slot(state, tag) for tag in predicted]
        probabilities = state.calibration.probabilities(scores[i].labels)[np.arange(len(tags)), slots]
        # Where only the ends of adjacent entities differ, the tags differ but the types do not.
        differs = np.array([_kind(a) != _kind(b) for a, b in zip(tags, predicted, strict=True)])
        if not differs.any():
            differs = np.array(tags) != np.array(predicted)
        word = int(np.where(differs, probabilities, -1.0).argmax())
        errors.append(Error(i, words, tags, predicted, float(probabilities[word]), word=word))
    return sorted(errors, key=lambda error: -error.probability)


def with_explanations(
    state: TaskState,
    errors: Sequence[Error],
    features: np.ndarray,
    items: Sequence[int],
    *,
    num_examples: int,
) -> list[Error]:
    """Errors with the examples that each prediction rests on; an empty text gets none.

    Args:
        state: The task.
        errors: The errors.
        features: Float32 ``(num_items, width)``, of texts or words.
        items: The position in ``features`` of each error's text, or of its wrong word.
        num_examples: How many examples explain each error.
    """
    if not num_examples or state.solution.ridge is None or not state.support.num_examples:
        return list(errors)
    outside = None if state.outside is None else state.outside.label
    explained = [i for i, error in enumerate(errors) if error.predicted not in (None, outside)]
    slots = [_predicted_slot(state, errors[i]) for i in explained]
    x = features[[items[i] for i in explained]]
    explanations = explain(state, x, num_examples=num_examples, slots=np.array(slots, int))
    completed = list(errors)
    for i, explanation in zip(explained, explanations, strict=True):
        completed[i] = replace(errors[i], explanation=explanation)
    return completed


def _predicted_slot(state: TaskState, error: Error) -> int:
    if state.is_ner:
        return _slot(state, error.predicted[error.word])
    return state.labels.index(error.predicted)


def _slot(state: TaskState, tag: str) -> int:
    return state.labels.index(_kind(tag))


def _kind(tag: str) -> str:
    return tag if tag == OUTSIDE else tag[2:]
