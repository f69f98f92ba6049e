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

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from metamapping.bad_batch import write_bad_batch
from metamapping.checkpoints import latest_partial, load_checkpoint, save_partial
from metamapping.config import DevicesName, EncoderSpec, EpisodeSpec, SolverName, TrainingSpec
from metamapping.devices import Replicas, Steps, strategy_of
from metamapping.episodes.batches import build_batch
from metamapping.episodes.label_space import LabelSpace
from metamapping.episodes.sampler import TRAIN_STREAM, Draw, sample_batch
from metamapping.models.encoder import Encoder, Tensors, build_backbone, copy_backbone
from metamapping.models.loss_scale import LossScale
from metamapping.models.mapping import MetaMapping
from metamapping.models.solvers.support_set import SupportSet, masked_logits, score
from metamapping.reports import TrainingReport

# The learning rate at the end of a round, as a share of that at its start.
LAST_RATE = 0.1


@dataclass(frozen=True)
class Learner:
    """What training changes: encoder, mapping, their optimizers, and float16's scale of the loss."""

    encoder: Encoder
    mapping: MetaMapping
    encoder_optimizer: keras.optimizers.Optimizer
    mapping_optimizer: keras.optimizers.Optimizer
    loss_scale: LossScale | None = None

    @property
    def encoder_variables(self) -> list[keras.Variable]:
        """The encoder's weights that are trained."""
        return list(self.encoder.backbone.trainable_variables)

    @property
    def mapping_variables(self) -> list[keras.Variable]:
        """The mapping's weights."""
        return list(self.mapping.trainable_variables)

    @property
    def optimizer_variables(self) -> dict[str, list[keras.Variable]]:
        """What is kept of the optimizers between steps, of the encoder and of the mapping."""
        scale = [] if self.loss_scale is None else self.loss_scale.variables
        return {
            "encoder": list(self.encoder_optimizer.variables),
            "mapping": [*self.mapping_optimizer.variables, *scale],
        }

    @property
    def variables(self) -> list[keras.Variable]:
        """Everything that a checkpoint holds."""
        kept = [v for variables in self.optimizer_variables.values() for v in variables]
        return [*self.encoder.backbone.weights, *self.mapping.weights, *kept]

    def copy(self) -> Learner:
        """A learner of the same shape; its values are not copied."""
        return _learner(
            copy_backbone(self.encoder.backbone),
            self.mapping.solver,
            weight_decay=self.encoder_optimizer.weight_decay,
            with_loss_scale=self.loss_scale is not None,
        )


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


def build_learner(
    encoder_spec: EncoderSpec, training: TrainingSpec, *, vocabulary_size: int, seed: int
) -> Learner:
    """A learner before any training: the untrained encoder and an identity mapping."""
    backbone = build_backbone(
        encoder_spec, vocabulary_size=vocabulary_size, seed=seed, precision=training.precision
    )
    return _learner(
        backbone,
        training.solver,
        weight_decay=training.weight_decay,
        with_loss_scale=training.precision == "mixed_float16",
    )


def _learner(
    backbone: keras.Model, solver: SolverName, *, weight_decay: float, with_loss_scale: bool
) -> Learner:
    encoder = Encoder(backbone)
    learner = Learner(
        encoder=encoder,
        mapping=MetaMapping(encoder.dim, solver=solver),
        # Named, since the names stand in checkpoints and Keras numbers unnamed ones by process.
        encoder_optimizer=keras.optimizers.AdamW(weight_decay=weight_decay, name="adamw"),
        mapping_optimizer=keras.optimizers.Adam(name="adam"),
        loss_scale=LossScale() if with_loss_scale else None,
    )
    learner.encoder_optimizer.build(learner.encoder_variables)
    learner.mapping_optimizer.build(learner.mapping_variables)
    return learner


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


def replicas_of(learner: Learner, training: TrainingSpec) -> Replicas:
    """What takes this learner's meta-steps on the devices that ``training`` says."""
    return _replicas(learner, training.devices, training.max_gradient_norm, training.jit_compile)


@functools.lru_cache(maxsize=1)
def _replicas(learner: Learner, devices: DevicesName, max_norm: float, jit_compile: bool) -> Replicas:
    # Rounds of one process share what is compiled.
    steps = Steps(
        update=functools.partial(update_weights, max_norm=max_norm),
        differentiate=differentiate,
        apply=functools.partial(apply_gradients, max_norm=max_norm),
        jit_compile=jit_compile,
    )
    return Replicas(learner, strategy_of(devices), steps)


def update_weights(learner: Learner, batch: Tensors, *, max_norm: float) -> tf.Tensor:
    """The outer step of one batch: the gradient of the queries' loss, through the closed-form solve."""
    loss, gradients = differentiate(learner, batch)
    return apply_gradients(learner, gradients, loss, max_norm=max_norm)


def differentiate(learner: Learner, batch: Tensors) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The queries' loss and its gradients by the encoder's variables, then the mapping's."""
    scale = learner.loss_scale
    with tf.GradientTape() as tape:
        loss = query_loss(learner, batch)
        scaled = loss if scale is None else loss * scale.value
    variables = [v.value for v in learner.encoder_variables + learner.mapping_variables]
    gradients = [
        tf.convert_to_tensor(g) for g in tape.gradient(scaled, variables, unconnected_gradients="zero")
    ]
    return loss, gradients if scale is None else [g / scale.value for g in gradients]


def apply_gradients(
    learner: Learner, gradients: list[tf.Tensor], loss: tf.Tensor, *, max_norm: float
) -> tf.Tensor:
    """The optimizers' step along gradients, cut to ``max_norm``; returns the loss.

    Gradients that are not finite are taken as zero, and the loss is NaN then: the caller stops there,
    with good weights. With a loss scale to lower, it is lowered and the step is left out instead.
    """
    encoder_variables, mapping_variables = learner.encoder_variables, learner.mapping_variables
    norm = tf.linalg.global_norm(gradients)
    factor = tf.minimum(1.0, max_norm / tf.maximum(norm, 1e-12))
    usable = tf.math.is_finite(norm) & tf.math.is_finite(loss)
    gradients = [tf.where(usable, g * factor, tf.zeros_like(g)) for g in gradients]

    def apply() -> tf.Tensor:
        learner.encoder_optimizer.apply(gradients[: len(encoder_variables)], encoder_variables)
        learner.mapping_optimizer.apply(gradients[len(encoder_variables) :], mapping_variables)
        return tf.where(usable, loss, tf.constant(float("nan"), loss.dtype))

    if learner.loss_scale is None:
        return apply()
    return learner.loss_scale.guard(usable | ~tf.math.is_finite(loss), apply, otherwise=loss)


def query_loss(learner: Learner, batch: Tensors) -> tf.Tensor:
    """Mean cross-entropy of the queries over all splits of a batch (``episodes.batches``)."""
    encoder, mapping = learner.encoder, learner.mapping
    is_ner = "word_of" in batch
    if is_ner:  # of words the first view alone: the others stay what they were before
        x = mapping.shaped(encoder.words(batch), batch["word_shapes"])[:, : encoder.dim]
    else:
        x = encoder.texts(batch)
    label_mask, query = batch["label_mask"], batch["query"]
    G = mapping.label_vectors(encoder.names(batch), batch["is_outside"], label_mask)
    support = SupportSet(x, batch["targets"], batch["support"], label_mask, is_independent=not is_ner)
    weights = mapping.compute_mapping(support, mapping.prior(G))
    logits = masked_logits(score(x, weights), label_mask, mapping.scale)
    targets = tf.broadcast_to(batch["targets"], tf.shape(query))
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)
    # Items that are no query may have a label outside the split, with a loss of 1e9.
    losses = tf.where(query > 0, losses, tf.zeros_like(losses))
    count = tf.reduce_sum(query, axis=-1)
    return tf.reduce_mean(tf.reduce_sum(losses, axis=-1) / tf.maximum(count, 1.0))


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
