"""Training: the outer loop of meta-learning.

One update of the outer loop is a meta-step; a round consists of ``meta_steps`` of them.

    TrainingSpec(meta_steps=300, learning_rate=1e-4)
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from metamapping.config.part import Part

SolverName = Literal["ridge", "plain-ridge", "prototypes", "gradient"]
DevicesName = Literal["one", "mirrored", "multi-worker"]
PrecisionName = Literal["float32", "mixed_float16", "mixed_bfloat16"]


class TrainingSpec(Part):
    """The outer loop of meta-learning."""

    meta_steps: int = Field(100, ge=1, description="Number of meta-steps per round.")
    learning_rate: float = Field(3e-5, gt=0, description="Learning rate of the encoder weights.")
    mapping_learning_rate_factor: float = Field(
        10.0,
        gt=0,
        description="Learning rate of the mapping's weights, as a multiple of `learning_rate`.",
    )
    warmup_steps: int = Field(
        20,
        ge=0,
        description="Number of meta-steps at the start of a run over which the learning rate rises linearly.",
    )
    weight_decay: float = Field(
        0.01, ge=0, description="Weight decay coefficient of AdamW, for the encoder weights."
    )
    max_gradient_norm: float = Field(
        1.0, gt=0, description="Norm to which the gradient of a meta-step is clipped."
    )
    checkpoint_every_steps: int = Field(
        25,
        ge=1,
        description="Number of meta-steps between checkpoints, and so the most that an interruption loses.",
    )
    keep_checkpoints: Literal["needed", "all"] = Field(
        "needed",
        description="Earlier rounds whose weights are kept: those that a later round or publishing may read "
        "(`needed`, about six, regardless of the number of rounds), or `all`.",
    )
    jit_compile: bool = Field(False, description="Whether the meta-step is compiled with XLA.")
    num_batches: int = Field(
        1,
        ge=1,
        description="Number of batches per meta-step, whose gradients are averaged; one device computes "
        "them one after another, several devices share them.",
    )
    devices: DevicesName = Field(
        "one",
        description="Devices that share the batches of a meta-step: `one` device, all GPUs of this machine "
        "(`mirrored`), or of every machine in TF_CONFIG (`multi-worker`).",
    )
    precision: PrecisionName = Field(
        "float32",
        description="Numerical precision of the encoder in training, by Keras's names; the weights, the "
        "solver and the published model are always float32.",
    )
    solver: SolverName = Field(
        "ridge",
        description="Method that computes a mapping from examples, in training and in use: `ridge` fits the "
        "prior's weight and λ to the task, `plain-ridge` uses the learned ones, `prototypes` chooses the "
        "nearest mean, `gradient` takes a few inner gradient steps.",
    )
    source_weights: dict[str, float] = Field(
        default_factory=dict,
        description="Relative sampling weight of each source. Default for a source that is not listed: 1.",
    )
