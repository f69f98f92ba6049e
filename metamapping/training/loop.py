"""Training: the outer loop of meta-mapping.

One meta-step draws a batch of one source, encodes its texts and label names once, computes a
mapping in closed form for each of several support/query splits, and back-propagates the queries'
loss through the solve into encoder and mapping. ``MetaMapping.compute_mapping`` is the inner update,
``update_weights`` the outer one. A meta-step of several batches goes along their mean gradient; where
they are computed (``devices``) changes nothing but rounding.

    learner = build_learner(config.encoder, config.training, vocabulary_size=30522, seed=0)
    report = train_round(learner, spaces, plan, folder=..., on_step=print)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from metamapping.config.episodes import EpisodeSpec
from metamapping.config.training import TrainingSpec
from metamapping.episodes.batches import build_batch
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import TRAIN_STREAM, Draw, sample_batch
from metamapping.rounds.records import TrainingReport
from metamapping.training.checkpoints import latest_partial, load_checkpoint, save_partial
from metamapping.training.learner import Learner
from metamapping.training.nonfinite_batch import write_bad_batch
from metamapping.training.replicas import replicas_of

# The learning rate at the end of a round, as a share of that at its start.
LAST_RATE = 0.1


@dataclass(frozen=True)
class RoundPlan:
    """What distinguishes one round's training from another's."""

    round: int
    seed: int
    first_step: int
    episodes: EpisodeSpec
    training: TrainingSpec


@dataclass
class Progress:
    """How far a round has come; it is saved with the weights, so a killed round goes on from it."""

    step: int = 0
    seconds: float = 0.0
    losses: list[tuple[str, float]] = field(default_factory=list)


def train_round(
    learner: Learner,
    spaces: Sequence[LabelSpace],
    plan: RoundPlan,
    *,
    folder: Path,
    on_step: Callable[[int, float], None] | None = None,
) -> TrainingReport:
    """Train for ``plan.training.meta_steps`` steps; partial checkpoints stand in ``folder``.

    Resumes from the latest partial checkpoint there; the caller removes them once it has saved the
    learner. Ends early, with a loss of NaN in the report
    and the last good weights in the learner, when a loss is not finite; the batch of that step then stands
    beside ``folder`` (``bad_batch``). ``on_step`` is told the
    number of steps done and the step's loss. Of several workers only the chief writes.
    """
    training, num_batches = plan.training, plan.training.num_batches
    replicas = replicas_of(learner, training)
    share = replicas.share_of(num_batches)
    progress = Progress()
    partial = latest_partial(folder)
    if partial is not None:
        state = load_checkpoint(partial, learner)
        progress = Progress(state["step"], state["seconds"], [tuple(x) for x in state["losses"]])
    replicas.equalise()
    replicas.check_together(progress.step)
    started = time.monotonic() - progress.seconds
    diverged, bad_batch = False, None
    while progress.step < training.meta_steps and not diverged:
        draws = _draw(spaces, plan, first=progress.step * num_batches)
        batches = {i: build_batch(spaces[draws[i].space], draws[i], plan.episodes) for i in share}
        for each in replicas.learners:
            _set_learning_rate(each, plan, progress.step)
        losses = replicas.update(batches, num_batches)
        loss = float(np.mean(losses))
        diverged = not math.isfinite(loss)
        progress.step += 1
        names = [spaces[draw.space].source for draw in draws]
        progress.losses += zip(names, map(float, losses), strict=True)
        progress.seconds = time.monotonic() - started
        if on_step is not None:
            on_step(progress.step, loss)
        if diverged and replicas.is_chief:
            bad_batch = folder.with_name(f"round-{plan.round}-not-finite")
            write_bad_batch(
                bad_batch,
                step=progress.step,
                spaces=spaces,
                draws=draws,
                batches=batches,
                losses=list(losses),
            )
        is_due = progress.step % training.checkpoint_every_steps == 0
        if is_due and not diverged and replicas.is_chief:
            save_partial(folder, learner, vars(progress))
    report = _report(progress, training)
    return report if bad_batch is None else report.model_copy(update={"bad_batch": bad_batch.name})


def _draw(spaces: Sequence[LabelSpace], plan: RoundPlan, *, first: int) -> list[Draw]:
    """A step's draws: batches are numbered through the round, whoever computes them."""
    draws = []
    for index in range(first, first + plan.training.num_batches):
        rng = np.random.default_rng([plan.seed, TRAIN_STREAM, plan.round, index])
        draws.append(sample_batch(rng, spaces, plan.training.source_weights, plan.episodes))
    return draws


def _set_learning_rate(learner: Learner, plan: RoundPlan, step: int) -> None:
    """Warm at the start of a run; within each round down to a tenth, so that it ends near a minimum.

    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017; a straight line
    instead of a cosine.
    """
    training = plan.training
    warm = min(1.0, (plan.first_step + step + 1) / max(1, training.warmup_steps))
    rate = training.learning_rate * warm * (1.0 - (1.0 - LAST_RATE) * step / training.meta_steps)
    learner.encoder_optimizer.learning_rate = rate
    learner.mapping_optimizer.learning_rate = rate * training.mapping_learning_rate_factor


def _report(progress: Progress, training: TrainingSpec) -> TrainingReport:
    losses = [loss for _, loss in progress.losses]
    by_source: dict[str, list[float]] = {}
    for name, loss in progress.losses:
        by_source.setdefault(name, []).append(loss)
    return TrainingReport(
        meta_steps=progress.step,
        seconds=round(progress.seconds, 3),
        learning_rate=training.learning_rate,
        loss=float(np.mean(losses[-max(1, len(losses) // 4) :])),
        source_losses={name: float(np.mean(values)) for name, values in sorted(by_source.items())},
        source_weights=dict(training.source_weights),
    )
