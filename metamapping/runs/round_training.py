"""Learners: the model of a run, built once a process, and its meta-steps of one round.

learner = learner_of(run, settings)          # of the run's shape; weights from a checkpoint
report = train_learner(run, learner, settings, round=2, first_step=100, sources=["hotel"])
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Collection
from statistics import fmean
from typing import TYPE_CHECKING

from metamapping.config.encoder import EncoderSpec
from metamapping.config.training import PrecisionName, SolverName, TrainingSpec
from metamapping.models.keras_import import lean_keras
from metamapping.rounds.records import TrainingReport
from metamapping.rounds.settings import AdjustableSettings
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import read_spaces
from metamapping.runs.tensorboard import TrainingCurve
from metamapping.training import checkpoints

if TYPE_CHECKING:
    from metamapping.training.learner import Learner
    from metamapping.training.loop import RoundPlan

StepCallback = Callable[[int, float], None]


def learner_of(run: RunFolder, settings: AdjustableSettings) -> Learner:
    """A learner of the run's shape, in float32, whose weights the caller sets from a checkpoint."""
    return _shared_learner(*_shape(run, settings), "float32")


def training_learner_of(run: RunFolder, settings: AdjustableSettings) -> Learner:
    """The same in the precision of training; in float32 the very same."""
    precision = settings.training.precision
    if precision == "float32":
        return learner_of(run, settings)
    return _lower_learner(*_shape(run, settings), precision)


def _shape(run: RunFolder, settings: AdjustableSettings) -> tuple[str, float, SolverName, int]:
    encoder = run.config.encoder.model_copy(update={"trainable_layers": settings.trainable_layers})
    training = settings.training
    return encoder.model_dump_json(), training.weight_decay, training.solver, run.corpus.vocabulary_size


def _build(
    encoder_json: str,
    weight_decay: float,
    solver: SolverName,
    vocabulary_size: int,
    precision: PrecisionName,
) -> Learner:
    with lean_keras():
        from metamapping.training.learner import build_learner

    return build_learner(
        EncoderSpec.model_validate_json(encoder_json),
        TrainingSpec(weight_decay=weight_decay, solver=solver, precision=precision),
        vocabulary_size=vocabulary_size,
        seed=0,
    )


# Stages of one process share the built model and what is compiled for it.
_shared_learner = functools.lru_cache(maxsize=1)(_build)
_lower_learner = functools.lru_cache(maxsize=1)(_build)


def train_learner(
    run: RunFolder,
    learner: Learner,
    settings: AdjustableSettings,
    *,
    round: int,
    first_step: int,
    sources: Collection[str],
    on_step: StepCallback | None = None,
    writes: bool = True,
) -> TrainingReport:
    """The meta-steps of a round on these train sources, from the weights that the learner has.

    ``writes``: whether its curve is written, and how sources agree measured; one worker's business.
    """
    from metamapping.models.backbones import num_frozen_layers
    from metamapping.training import loop
    from metamapping.training.gradient_agreement import measure_agreements

    config = run.config
    plan = loop.RoundPlan(
        round=round,
        seed=config.seed,
        first_step=first_step,
        episodes=settings.episodes,
        training=settings.training,
    )
    spaces = read_spaces(config, run.corpus, "train", only=sources)
    if not writes:
        return loop.train_round(learner, spaces, plan, folder=run.partial(round), on_step=on_step)
    with _curve(run, plan) as curve:

        def on_step_done(step: int, loss: float) -> None:
            curve.add(loss=loss, learning_rate=float(learner.encoder_optimizer.learning_rate))
            if on_step is not None:
                on_step(step, loss)

        report = loop.train_round(learner, spaces, plan, folder=run.partial(round), on_step=on_step_done)
    started, agreements = time.monotonic(), {}
    if "without" in config.adjustment.moves and math.isfinite(report.loss):
        agreements = measure_agreements(learner, spaces, plan)
    return report.model_copy(
        update={
            "seconds": report.seconds + time.monotonic() - started,
            "agreements": agreements,
            "frozen_layers": num_frozen_layers(learner.encoder.backbone),
        }
    )


def _curve(run: RunFolder, plan: RoundPlan) -> TrainingCurve:
    """The curve of a round, with the steps that it had done when it was stopped, if it was."""
    # All steps of the run so far, also of rounds that were gone back from: no curve crosses itself.
    steps_before = sum(judged.report.training.meta_steps for judged in run.read_history())
    curve = TrainingCurve(run.tensorboard, round=plan.round, first_step=steps_before)
    partial = checkpoints.latest_partial(run.partial(plan.round))
    state = None if partial is None else checkpoints.read_state(partial)
    losses = [loss for _, loss in state["losses"]] if state else []
    num_batches = plan.training.num_batches
    for first in range(0, len(losses), num_batches):
        curve.add(loss=fmean(losses[first : first + num_batches]))
    return curve
