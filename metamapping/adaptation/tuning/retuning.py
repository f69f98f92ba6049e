"""Retuning: tunes the encoder to a task that exists, from the examples that it keeps.

check_can_retune(mapping, mapper)             # ValueError with the reason, in no time
tuned = tune_mapping(mapping, mapper)         # another mapping; the one given is left as it is
"""

from __future__ import annotations

from dataclasses import replace

from metamapping.adaptation.multi_label.multi_label_mapping import mapping_of
from metamapping.adaptation.task_features import encoded_again
from metamapping.adaptation.task_mapping import LoadedEncoder, Mapping
from metamapping.adaptation.tuning.tuning import OnStep, check_is_tunable, tune_task


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
    if mapping.encoder_fingerprint != featurizer.fingerprint:
        raise ValueError("the task is on another encoder: adapt it again from its examples")
    supports = [state.support, *([] if state.outside is None else [state.outside.support])]
    texts = [text for each in supports for text in (*each.texts, *(each.text_pairs or ()))]
    if None in texts:
        raise ValueError("the task was saved without the texts of its examples: adapt it again from them")


def tune_mapping(
    mapping: Mapping, mapper: LoadedEncoder, *, seconds: float | None = None, on_step: OnStep | None = None
) -> Mapping:
    """Tune the encoder to a task, if that helps the task.

    Args:
        mapping: The task; it is not changed. A tuned one is tuned again, from the encoder as it was.
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
        state = encoded_again(mapper.featurizer, replace(state, tuning=None))
    return mapping_of(*tune_task(mapper.featurizer, state, seconds=seconds, on_step=on_step))
