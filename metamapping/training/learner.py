"""The learner: everything that meta-training changes.

A ``Learner`` is an encoder, a mapping, the optimizer of each, and in float16 the loss scale. It is
built here before any training; ``training.checkpoints`` saves and restores it.

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
from metamapping.training.fused_adam import FusedAdam, FusedAdamW
from metamapping.training.loss_scale import LossScale


@dataclass(frozen=True)
class Learner:
    """Encoder and mapping with their optimizers.

    Attributes:
        encoder: Turns texts, words and label names into features.
        mapping: The meta-learned mapping and the hyperparameters of adaptation.
        encoder_optimizer: AdamW over the encoder's trainable weights.
        mapping_optimizer: Adam over the mapping's weights, at a higher learning rate.
        loss_scale: The factor on the loss in mixed float16; ``None`` in other precisions.
    """

    encoder: Encoder
    mapping: MetaMapping
    encoder_optimizer: keras.optimizers.Optimizer
    mapping_optimizer: keras.optimizers.Optimizer
    loss_scale: LossScale | None = None

    @property
    def encoder_variables(self) -> list[keras.Variable]:
        """The encoder's trainable weights."""
        return list(self.encoder.backbone.trainable_variables)

    @property
    def mapping_variables(self) -> list[keras.Variable]:
        """The mapping's trainable weights."""
        return list(self.mapping.trainable_variables)

    @property
    def optimizer_variables(self) -> dict[str, list[keras.Variable]]:
        """The optimizers' state under ``encoder`` and ``mapping``; the loss scale belongs to the latter."""
        scale = [] if self.loss_scale is None else self.loss_scale.variables
        return {
            "encoder": list(self.encoder_optimizer.variables),
            "mapping": [*self.mapping_optimizer.variables, *scale],
        }

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables that a checkpoint holds."""
        state = [v for variables in self.optimizer_variables.values() for v in variables]
        return [*self.encoder.backbone.weights, *self.mapping.weights, *state]

    def copy(self) -> Learner:
        """Build a learner of the same shape. The values of its variables are not copied from this one."""
        return _with_optimizers(
            copy_backbone(self.encoder.backbone),
            self.mapping.solver,
            weight_decay=self.encoder_optimizer.weight_decay,
            with_loss_scale=self.loss_scale is not None,
        )


def build_learner(
    encoder_spec: EncoderSpec, training: TrainingSpec, *, vocabulary_size: int, seed: int
) -> Learner:
    """Build a learner before any training: the pretrained or random encoder and an identity mapping.

    Args:
        encoder_spec: The preset to load, or the dimensions of an encoder with random weights.
        training: Only its precision, solver and weight decay are used.
        vocabulary_size: Number of token ids; only read where the encoder is built from scratch.
        seed: Seed of the random weights; only read where the encoder is built from scratch.

    Returns:
        A learner whose optimizers are built, so that its variables can be saved and restored.

    Raises:
        ConfigError: The preset cannot be read or does not fit ``encoder_spec``.
    """
    backbone = build_backbone(
        encoder_spec, vocabulary_size=vocabulary_size, seed=seed, precision=training.precision
    )
    return _with_optimizers(
        backbone,
        training.solver,
        weight_decay=training.weight_decay,
        with_loss_scale=training.precision == "mixed_float16",
    )


def _with_optimizers(
    backbone: keras.Model, solver: SolverName, *, weight_decay: float, with_loss_scale: bool
) -> Learner:
    encoder = Encoder(backbone)
    learner = Learner(
        encoder=encoder,
        mapping=MetaMapping(encoder.dim, solver=solver),
        # Checkpoints contain the optimizers' names. Keras would number unnamed ones by the order in
        # which a process builds them, so the same run could not resume in another process.
        encoder_optimizer=FusedAdamW(weight_decay=weight_decay, name="adamw"),
        mapping_optimizer=FusedAdam(name="adam"),
        loss_scale=LossScale() if with_loss_scale else None,
    )
    learner.encoder_optimizer.build(learner.encoder_variables)
    learner.mapping_optimizer.build(learner.mapping_variables)
    return learner
