"""Tuning: a copy of the encoder's layers is changed for one task, if that helps it.

The steps are those of ``metamapping.tuning``; ``tuning_gate`` decides whether their result is used.

    featurizer, state = tune_task(featurizer, state, seconds=None)
    print(state.tuning)

Tuning needs TensorFlow; using a tuned task does not, where the encoder has a graph for the runtime.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from metamapping.adaptation.featurizer import Featurizer
from metamapping.adaptation.multi_label.label_decisions import LabelDecisions
from metamapping.adaptation.multi_label.multi_label_state import MultiLabelState
from metamapping.adaptation.state import TaskState
from metamapping.adaptation.task_features import encoded_again
from metamapping.adaptation.tuning.list_tuning import ListEvidence
from metamapping.adaptation.tuning.tuning_gate import NUM_FOLDS, choose
from metamapping.adaptation.tuning.tuning_kinds import kind_of
from metamapping.adaptation.tuning.tuning_record import Tuning, gain_sentence
from metamapping.adaptation.word_tokens import WordTokens, joined_passes
from metamapping.corpus.ragged import Ragged
from metamapping.models.keras_import import quiet_keras
from metamapping.models.weight_delta import WeightDelta

if TYPE_CHECKING:  # this module imports TensorFlow
    from metamapping.adaptation.tuning.tuning_steps import Report, TuningSteps

# More examples than these teach the layers nothing in so few steps; the closed form uses all.
MAX_EXAMPLES = 2_000
_SEED = 0

OnStep = Callable[[int, int], None]  # steps taken, steps in all


class StopTuningError(Exception):
    """Raised by a function that is called after each step: tuning ends with the best so far."""


_INTERRUPTIONS = (KeyboardInterrupt, StopTuningError)


@dataclass(frozen=True)
class TaskWords:
    """The words of a task of named entities.

    Attributes:
        windows: What the encoder reads of the sentences.
        shapes: Int32 ``(num_words, 3)``, how each word is written.
    """

    windows: WordTokens
    shapes: np.ndarray


@dataclass(frozen=True)
class TaskTokens:
    """What the encoder reads of a task, as token ids and segment ids.

    Attributes:
        texts: Of each text or pair; for ``ner`` of each window of a sentence.
        names: Of each label's name, for ``ner`` without "outside".
        words: For ``ner`` the words of the windows.
    """

    texts: tuple[Ragged, Ragged]
    names: tuple[Ragged, Ragged]
    words: TaskWords | None = None


@dataclass(frozen=True)
class _Outcome:
    """What tuning came to: a record whose seconds are not known yet, and a change unless it is not used.

    Where a text has any number of labels, a change comes with its decisions.
    """

    record: Tuning
    delta: WeightDelta | None = None
    decisions: LabelDecisions | None = None


def check_can_tune(featurizer: Featurizer) -> None:
    """Check what can be known before any text is encoded, and import what tuning needs.

    Args:
        featurizer: The encoder.

    Raises:
        ValueError: This encoder cannot be tuned.
        MissingExtraError: TensorFlow is not installed.
    """
    check_is_tunable(featurizer)
    with quiet_keras("tuning an encoder to a task"):
        import metamapping.adaptation.tuning.tuning_steps  # noqa: F401


def check_is_tunable(featurizer: Featurizer) -> None:
    """Check what can be known without importing anything.

    Args:
        featurizer: The encoder.

    Raises:
        ValueError: This encoder cannot be tuned.
    """
    solver = featurizer.model.mapping.solver
    if solver not in ("ridge", "plain-ridge"):
        raise ValueError(
            f"an encoder that was meta-trained with the solver {solver!r} cannot be tuned, expected 'ridge' "
            "or 'plain-ridge': leave tune out"
        )
    if featurizer.precision != "float32":
        raise ValueError(
            "an encoder that computes with 8 bits cannot be tuned: load it with the backend `runtime` or "
            "`tensorflow`, or leave tune out"
        )


def tune_task(
    featurizer: Featurizer,
    state: TaskState,
    *,
    seconds: float | None,
    seed: int = _SEED,
    on_step: OnStep | None = None,
) -> tuple[Featurizer, TaskState]:
    """Tune an encoder to a task, if that helps the task.

    Ctrl-C ends it early, with the best that is known by then.

    Args:
        featurizer: The encoder; not changed.
        state: The task, solved in closed form; its examples have texts.
        seconds: Time for all steps together; ``None`` for a number of steps that does not depend on the
            machine, so that the same examples give the same result.
        seed: Seed of the splits.
        on_step: Called after each step with their number and that of all; it may raise ``StopTuningError``.
            Default: a progress bar.

    Returns:
        The featurizer and the state to use from now on. If the task was not tuned, they are those given,
        apart from ``state.tuning``.

    Raises:
        ValueError: The task or the encoder cannot be tuned.
        MissingExtraError: TensorFlow is not installed.
    """
    check_can_tune(featurizer)
    started = time.monotonic()
    limited = _limited(featurizer, state)
    outcome = _tune(featurizer, limited, lambda: _tokens(featurizer, limited), seconds, seed, on_step)
    if outcome.delta is not None:
        featurizer = featurizer.tuned(outcome.delta)
        state = replace(state, tuning=outcome.record)  # its factor is part of the calibration
        if outcome.decisions is not None:
            assert isinstance(state, MultiLabelState)
            state = replace(state, decisions=outcome.decisions)
        state = encoded_again(featurizer, state)
    record = replace(outcome.record, seconds=time.monotonic() - started)
    return featurizer, replace(state, tuning=record)


def tune_tokens(
    featurizer: Featurizer, state: TaskState, tokens: TaskTokens, *, seed: int = _SEED
) -> tuple[WeightDelta | None, Tuning]:
    """Find out what tuning would change for a task of which the tokens are known, and not the texts.

    Args:
        featurizer: The encoder; not changed.
        state: The task, solved in closed form, with at most ``MAX_EXAMPLES`` examples.
        tokens: Of its examples and labels.
        seed: Seed of the splits.

    Returns:
        What to change in the encoder, ``None`` for nothing, and what was decided.
    """
    outcome = _tune(featurizer, state, lambda: tokens, None, seed)
    return outcome.delta, outcome.record


def _tokens(featurizer: Featurizer, state: TaskState) -> TaskTokens:
    if state.is_ner:
        passes, shapes = featurizer.word_tokens(state.support.texts, state.support.offsets)
        windows = joined_passes(list(passes))
        names = featurizer.name_tokens(list(state.names[1:]))
        return TaskTokens((windows.token_ids, windows.segment_ids), names, TaskWords(windows, shapes))
    texts = featurizer.text_tokens(*state.support.columns)
    return TaskTokens(texts, featurizer.name_tokens(list(state.names)))


def _tune(
    featurizer: Featurizer,
    state: TaskState,
    read_tokens: Callable[[], TaskTokens],
    seconds: float | None,
    seed: int,
    on_step: OnStep | None = None,
) -> _Outcome:
    from metamapping.adaptation.tuning.tuning_steps import Budget, TuningSteps

    kind = kind_of(state)
    folds = kind.folds(state)
    if not folds:
        return _unknown(f"{kind.needed} needed to estimate a gain")
    budget = Budget(seconds, num_folds=len(folds) + 1)
    with _progress_bar(featurizer) if on_step is None else nullcontext(on_step) as report:
        try:
            steps = TuningSteps(featurizer, state, read_tokens(), budget, report, seed=seed)
            evidence = kind.evidence(featurizer, state, steps, folds)
        except _INTERRUPTIONS:
            return _unknown("it was interrupted before a gain was known", budget.steps)
        except FloatingPointError as error:
            return _unknown(f"{error}", budget.steps)
        choice = choose(evidence)
        record = Tuning(
            weight=choice.weight,
            steps=budget.steps,
            seconds=0.0,
            num_left_out=len(evidence.before),
            likelihood_before=choice.before,
            likelihood_after=choice.after,
            gain_error=choice.error if np.isfinite(choice.error) else None,
            reason=gain_sentence(choice.gain, choice.error, choice.expected_gain, what=evidence.what),
            scale_factor=choice.scale_factor if choice.weight else 1.0,
            num_layers=steps.num_layers,
        )
        if not choice.weight:
            return _Outcome(record)
        outcome = _finish(steps, record, np.arange(state.support.num_examples))
        if outcome.delta is None or not isinstance(evidence, ListEvidence):
            return outcome
        return replace(outcome, decisions=evidence.decisions_of(choice.weight))


def _finish(steps: TuningSteps, record: Tuning, rows: np.ndarray) -> _Outcome:
    """Tune to all examples. Weights on the way are used after an interruption, from half of the steps on.

    Half of the way is about one of the weights that were considered.
    """
    weights, count = steps.start, 0
    try:
        for weights in steps.steps(NUM_FOLDS, rows):  # noqa: B007
            count += 1
    except _INTERRUPTIONS:
        reason = f"{record.reason}, but the last steps were interrupted"
        if 2 * count < record.steps:
            return _Outcome(replace(record, weight=0.0, steps=count, reason=reason, scale_factor=1.0))
        record = replace(record, steps=count, reason=reason)
    except FloatingPointError as error:
        reason = f"{record.reason}, but with all examples {error}"
        return _Outcome(replace(record, weight=0.0, steps=count, reason=reason, scale_factor=1.0))
    return _Outcome(record, steps.delta(weights).scaled(record.weight))


def _unknown(reason: str, steps: int = 0) -> _Outcome:
    return _Outcome(Tuning(0.0, steps, 0.0, 0, None, None, None, reason))


def _limited(featurizer: Featurizer, state: TaskState) -> TaskState:
    """The state with at most about ``MAX_EXAMPLES`` examples, evenly many of each label."""
    if state.support.num_examples <= MAX_EXAMPLES:
        return state
    return kind_of(state).with_fewer(featurizer, state, MAX_EXAMPLES)


@contextmanager
def _progress_bar(featurizer: Featurizer) -> Iterator[Report]:
    """Yield a function that is called with the number of steps taken and the number of all."""
    if featurizer.progress is False or (featurizer.progress is None and not sys.stderr.isatty()):
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("tuning"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tuning", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
