"""Conversions between the server's messages and what the library takes and returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from metamapping.adaptation.inputs.span_inputs import align_examples
from metamapping.config.sources import TaskType
from metamapping.corpus.spans import widened_note
from metamapping.serving.messages import Entity, Example, Span, Task, TuningJob
from metamapping.serving.tuning_jobs import Job

if TYPE_CHECKING:  # it imports TensorFlow
    from metamapping import Entity as FoundEntity
    from metamapping import Mapping


_DIGITS = 6  # of a probability: float32 is not more precise


def prediction_message(label: Any) -> Any:
    """Return a prediction whose entities, if it has any, are messages.

    Args:
        label: A label, a list of labels, of tags or of entities, or ``None``.
    """
    if not isinstance(label, list):
        return label
    return [each if isinstance(each, str | bool | int | float) else entity_message(each) for each in label]


def entity_message(entity: FoundEntity) -> Entity:
    """Return an entity as a message.

    Args:
        entity: An entity that was predicted.
    """
    return Entity(**{**entity._asdict(), "probability": round(entity.probability, _DIGITS)})


def task_message(name: str, mapping: Mapping) -> Task:
    """Return the description of a task.

    Args:
        name: Its name on the server.
        mapping: The task.
    """
    return Task(
        name=name,
        task_type=mapping.task_type,
        labels=list(mapping.labels),
        num_examples=mapping.num_examples,
        multi_label=mapping.is_multi_label,
        out_of_scope=mapping.out_of_scope,
        is_ordinal=mapping.is_ordinal,
        num_out_of_scope=mapping.num_out_of_scope,
    )


def job_message(job: Job) -> TuningJob:
    """Return the progress of a job.

    Args:
        job: The job.
    """
    times = {"seconds": round(job.seconds, 1)}
    if job.seconds_left is not None:
        times["seconds_left"] = round(job.seconds_left, 1)
    return TuningJob(**vars(job) | times)


def example_columns(
    examples: Sequence[Example], task_type: TaskType
) -> tuple[list[Any], list[Any], list[str]]:
    """Return texts and labels, and notes about what was changed in them. Spans become tags of words.

    Args:
        examples: The examples of a request.
        task_type: The type of their task.

    Raises:
        ValueError: Spans do not fit their texts.
    """
    texts, labels = [example.text for example in examples], [_label(example) for example in examples]
    aligned = align_examples(texts, labels) if task_type == "ner" else None
    if aligned is None:
        return texts, labels, []
    note = widened_note(aligned, what="text")
    return [each.words for each in aligned], [each.tags for each in aligned], [note] if note else []


def _label(example: Example) -> Any:
    """The label; spans as objects."""
    if not isinstance(example.label, list):
        return example.label
    return [each.model_dump() if isinstance(each, Span) else each for each in example.label]


def pairs_of(examples: Sequence[Example]) -> list[str] | None:
    """Return the second texts of examples, or ``None`` if there are none.

    Args:
        examples: The examples of a request.

    Raises:
        ValueError: Some have one and some have none.
    """
    pairs = [example.text_pair for example in examples if example.text_pair is not None]
    if pairs and len(pairs) < len(examples):
        without = next(i for i, example in enumerate(examples) if example.text_pair is None)
        raise ValueError(f"example {without} has no text_pair, but others have one: give all one, or none")
    return pairs or None


def all_texts(examples: Sequence[Example]) -> Iterator[str | list[str]]:
    """Yield everything in examples that has a length: texts, second texts and labels.

    Args:
        examples: The examples of a request.
    """
    for example in examples:
        yield example.text
        if isinstance(example.label, list):
            yield [each.label if isinstance(each, Span) else str(each) for each in example.label]
        else:
            yield str(example.label)
        yield example.text_pair or ""


def rounded(probabilities: Any) -> Any:
    """Return probabilities as numbers, or lists of them, without the digits that float32 does not have.

    Args:
        probabilities: An array of any shape, or one number.
    """
    return np.round(np.asarray(probabilities, np.float64), _DIGITS).tolist()
