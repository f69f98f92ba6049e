"""Retuning: tunes the encoder to a task that exists, from the examples that it keeps.

check_can_retune(mapping, mapper)             # ValueError with the reason, in no time
tuned = tune_mapping(mapping, mapper)         # another mapping; the one given is left as it is
"""

from __future__ import annotations

from dataclasses import replace

from metamapping.adaptation.state import TaskState
from metamapping.adaptation.state_changes import with_features
from metamapping.adaptation.task_features import task_features
from metamapping.adaptation.task_mapping import LoadedEncoder, Mapping
from metamapping.adaptation.tuning import OnStep, check_is_tunable, tune_task


def check_can_retune(mapping: Mapping, mapper: LoadedEncoder) -> None:
    """Check what can be known of a task before anything is computed.

    Args:
        mapping: The task.
        mapper: The encoder to tune, which has to be the task's.

    Raises:
        ValueError: The task cannot be tuned; the message says why.
    """
    state, featurizer = mapping.state, mapper.featurizer
    check_is_tunable(featurizer)
    if mapping.is_multi_label:
        raise ValueError("an encoder cannot be tuned to a task of several labels a text")
    if state.outside is not None:
        raise ValueError("an encoder cannot be tuned to a task with examples out of scope")
    if mapping.encoder_fingerprint != featurizer.fingerprint:
        raise ValueError("the task is on another encoder: adapt it again from its examples")
    texts = [*state.support.texts, *(state.support.text_pairs or ())]
    if None in texts:
        raise ValueError("the task was saved without the texts of its examples: adapt it again from them")


def tune_mapping(
    mapping: Mapping, mapper: LoadedEncoder, *, seconds: float | None = None, on_step: OnStep | None = None
) -> Mapping:
    """Tune the encoder to a task, if that helps the task.

    Args:
        mapping: The task; it is left as it is. A tuned one is tuned anew, from the encoder as it was.
        mapper: The encoder that the task was adapted with.
        seconds: As for ``tuning.tune_task``.
        on_step: As for ``tuning.tune_task``.

    Returns:
        The task as the gate decided.

    Raises:
        ValueError: The task or the encoder cannot be tuned.
        MissingExtraError: TensorFlow is not installed.
    """
    check_can_retune(mapping, mapper)
    state = mapping.state
    if state.tuning is not None:
        state = _untuned(mapper, state)
    return Mapping(*tune_task(mapper.featurizer, state, seconds=seconds, on_step=on_step))


def _untuned(mapper: LoadedEncoder, state: TaskState) -> TaskState:
    featurizer = mapper.featurizer
    return with_features(featurizer, replace(state, tuning=None), *task_features(featurizer, state))
