"""Learner: what training changes, and how it is built before any training.

learner = build_learner(config.encoder, config.training, vocabulary_size=30522, seed=0)
"""

from __future__ import annotations

from dataclasses import dataclass

import keras

from metamapping.config.encoder import EncoderSpec
from metamapping.config.training import SolverName, TrainingSpec
from metamapping.models.backbones import build_backbone, copy_backbone
from metamapping.models.encoder import Encoder
from metamapping.models.mapping import MetaMapping
from metamapping.training.loss_scale import LossScale


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
