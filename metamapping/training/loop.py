"""The training loop: the meta-steps of one round.

A step draws one or more batches and takes a meta-step along their mean gradient (``meta_step``, on one
device or several: ``replicas``). Every ``checkpoint_every_steps`` steps a partial checkpoint is written. A
round that was killed resumes from the latest one and ends with the same weights, bit for bit, because
every draw is a function of seed, round and batch number.

    replicas = Replicas(build_learner(config.encoder, config.training, ...), config.training)
    report = train_round(replicas, spaces, plan, folder=folder, on_step=print)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from metamapping.config.episodes import EpisodeSpec
from metamapping.config.training import TrainingSpec
from metamapping.episodes.ahead import one_ahead
from metamapping.episodes.batches import build_batch
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.padding import Batch
from metamapping.episodes.sampler import TRAIN_STREAM, Draw, sample_batch
from metamapping.rounds.records import TrainingReport
from metamapping.training.checkpoints import latest_partial, load_checkpoint, read_gradients, save_partial
from metamapping.training.gradient_agreement import GradientSums, measured_sources
from metamapping.training.learner import Learner
from metamapping.training.nonfinite_batch import write_nonfinite_batch
from metamapping.training.replicas import Replicas

StepCallback = Callable[[int, float], None]

# The learning rate at the end of a round, as a fraction of that at its start.
FINAL_RATE_FRACTION = 0.1


@dataclass(frozen=True)
class RoundPlan:
    """What distinguishes the training of one round from that of another.

    Attributes:
        round: Number of the round, from 1.
        seed: Seed of the run.
        first_step: Meta-steps that led to the checkpoint from which the round starts; the warm-up
            counts them.
        episodes: How batches are drawn.
        training: Number of steps, learning rate, sampling weights and so on.
        measures_agreement: Whether it is measured if the gradients of the sources agree.
    """

    round: int
    seed: int
    first_step: int
    episodes: EpisodeSpec
    training: TrainingSpec
    measures_agreement: bool = True


@dataclass
class RoundProgress:
    """The progress of a round. It is saved with every partial checkpoint, so its names are a file format."""

    step: int = 0
    seconds: float = 0.0
    losses: list[tuple[str, float]] = field(default_factory=list)  # of each batch: source, loss


def train_round(
    replicas: Replicas,
    spaces: Sequence[LabelSpace],
    plan: RoundPlan,
    *,
    folder: Path,
    on_step: StepCallback | None = None,
) -> TrainingReport:
    """Train for ``plan.training.meta_steps`` steps.

    If a loss is not finite, the round ends early, with the last good weights in the learner and a loss of
    NaN in the report; the batch that caused it is written next to ``folder``.

    Args:
        replicas: The learner to train, on the devices that share the batches of a step.
        spaces: The label spaces of the train sources.
        plan: What to do in this round.
        folder: Where partial checkpoints are written and resumed from. The caller removes it after saving
            the learner. If there are several workers, only the chief writes.
        on_step: Called after each step with the number of steps done in this round and the step's loss.

    Returns:
        The losses and the duration of the round, and whether the gradients of the sources agreed.

    Raises:
        ConfigError: A step has fewer batches than there are devices.
        RuntimeError: The workers of a cluster would resume from different steps.
    """
    training, num_batches = plan.training, plan.training.num_batches
    my_batches = replicas.share_of(num_batches)
    measured = measured_sources([s.source for s in spaces], plan.seed, plan.round)
    progress, gradients = _resume(replicas, folder, measured if plan.measures_agreement else [])
    started = time.monotonic() - progress.seconds
    nonfinite_batch = ""
    # The next step's batches are built in a thread while the devices compute this one's.
    with closing(one_ahead(_batches(spaces, plan, my_batches, first=progress.step))) as upcoming:
        for draws, batches in upcoming:
            for learner in replicas.learners:
                _set_learning_rate(learner, plan, progress.step)
            losses, samples = replicas.update(batches, num_batches)

            if progress.step >= training.meta_steps // 2:
                for i, sample in sorted(samples.items()):
                    gradients.add(spaces[draws[i].space].source, sample)
            progress.step += 1
            progress.losses += [
                (spaces[draw.space].source, float(loss)) for draw, loss in zip(draws, losses, strict=True)
            ]
            progress.seconds = time.monotonic() - started
            loss = float(np.mean(losses))
            if on_step is not None:
                on_step(progress.step, loss)
            if not math.isfinite(loss):
                nonfinite_batch = f"round-{plan.round}-not-finite"
                if replicas.is_chief:
                    path = folder.with_name(nonfinite_batch)
                    write_nonfinite_batch(path, progress.step, spaces, draws, batches, losses)
                break
            if progress.step % training.checkpoint_every_steps == 0 and replicas.is_chief:
                save_partial(folder, replicas.learner, vars(progress), gradients.sums)
    report = _report(progress, training, nonfinite_batch if replicas.is_chief else "")
    return report.model_copy(update={"agreements": {} if nonfinite_batch else gradients.cosines()})


def _resume(replicas: Replicas, folder: Path, measured: Sequence[str]) -> tuple[RoundProgress, GradientSums]:
    """Set every replica to the latest partial checkpoint in ``folder``, if there is one."""
    progress, gradients = RoundProgress(), GradientSums(measured)
    partial = latest_partial(folder)
    if partial is not None:
        state = load_checkpoint(partial, replicas.learner)
        progress = RoundProgress(state["step"], state["seconds"], [tuple(x) for x in state["losses"]])
        gradients = GradientSums(measured, read_gradients(partial))
    replicas.broadcast_variables()
    replicas.check_same_step(progress.step)
    return progress, gradients


def _batches(
    spaces: Sequence[LabelSpace], plan: RoundPlan, mine: Sequence[int], *, first: int
) -> Iterator[tuple[list[Draw], dict[int, Batch]]]:
    """The draws of each step that is left, and this process's share of their batches."""
    for step in range(first, plan.training.meta_steps):
        draws = _sample_draws(spaces, plan, first=step * plan.training.num_batches)
        yield draws, {i: build_batch(spaces[draws[i].space], draws[i], plan.episodes) for i in mine}


def _sample_draws(spaces: Sequence[LabelSpace], plan: RoundPlan, *, first: int) -> list[Draw]:
    """The draws of one step. Batches are numbered through the round, whichever device computes them."""
    draws = []
    for index in range(first, first + plan.training.num_batches):
        rng = np.random.default_rng([plan.seed, TRAIN_STREAM, plan.round, index])
        draws.append(sample_batch(rng, spaces, plan.training.source_weights, plan.episodes))
    return draws


def _set_learning_rate(learner: Learner, plan: RoundPlan, step: int) -> None:
    """Warm up at the start of a run; decay to a tenth within each round, so that it ends near a minimum.

    Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017, with a
    straight line instead of a cosine.
    """
    training = plan.training
    warm_up = min(1.0, (plan.first_step + step + 1) / max(1, training.warmup_steps))
    decay = 1.0 - (1.0 - FINAL_RATE_FRACTION) * step / training.meta_steps
    rate = training.learning_rate * warm_up * decay
    learner.encoder_optimizer.learning_rate = rate
    learner.mapping_optimizer.learning_rate = rate * training.mapping_learning_rate_factor


def _report(progress: RoundProgress, training: TrainingSpec, nonfinite_batch: str) -> TrainingReport:
    losses = [loss for _, loss in progress.losses]
    by_source: dict[str, list[float]] = {}
    for name, loss in progress.losses:
        by_source.setdefault(name, []).append(loss)
    return TrainingReport(
        meta_steps=progress.step,
        seconds=round(progress.seconds, 3),
        learning_rate=training.learning_rate,
        loss=float(np.mean(losses[-max(1, len(losses) // 4) :])),
        source_losses=_means(by_source),
        source_weights=dict(training.source_weights),
        bad_batch=nonfinite_batch,
    )


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: float(np.mean(values[name])) for name in sorted(values)}
