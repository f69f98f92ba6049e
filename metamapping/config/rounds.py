"""Rounds: when a run stops, and what may change between its rounds.

After each round the metrics are judged and, unless the run stops, the training is adjusted.

    ConvergenceSpec(max_rounds=8, target_accuracy=0.8), AdjustmentSpec(moves=["settle"])
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from metamapping.config.part import Part
from metamapping.config.sources import TaskType

MoveName = Literal[
    "restore", "average", "without", "settle", "regularise", "shots", "ways", "unfreeze", "scale"
]


class ConvergenceSpec(Part):
    """When a run stops: its targets, its patience and its limits."""

    max_rounds: int = Field(5, ge=1, description="Maximum number of rounds.")
    min_rounds: int = Field(1, ge=1, description="Number of rounds before which a run does not converge.")
    patience: int = Field(
        3,
        ge=1,
        description="Number of trained rounds without a clear or a probable gain after which a run has "
        "converged.",
    )
    target_accuracy: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Mean score over the validation sources, 0 to 1, at which a run has converged. "
        "Default: no target.",
    )
    task_targets: dict[TaskType, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict,
        description="Target accuracy, 0 to 1, by task type; a run has converged when all targets are "
        "reached. Default: no targets.",
    )
    max_seconds: float | None = Field(
        None, gt=0, description="Maximum training time of all rounds together, in seconds. Default: no limit."
    )
    population: Literal["sources", "episodes"] = Field(
        "sources",
        description="Population for which a gain must be clear: all sources like the validation sources "
        "(`sources`), or further episodes of the validation sources themselves (`episodes`).",
    )
    max_loss_factor: float = Field(
        2.0,
        gt=1,
        description="Multiple of the highest training loss of any source in earlier rounds, above which a "
        "round has diverged.",
    )
    max_source_fall: float | None = Field(
        None,
        ge=0,
        description="Accuracy, 0 to 1, that a source may lose against the encoder before "
        "meta-training; a round in which a source clearly loses more has diverged, even if other sources "
        "gain. Default: a source that regresses matters only if there is no clear gain on average.",
    )

    @model_validator(mode="after")
    def _check(self) -> ConvergenceSpec:
        if self.min_rounds > self.max_rounds:
            raise ValueError(
                f"min_rounds {self.min_rounds} is more than max_rounds {self.max_rounds}: "
                "lower min_rounds or raise max_rounds"
            )
        return self


class AdjustmentSpec(Part):
    """What may change between rounds, and how far."""

    moves: list[MoveName] = Field(
        default=list(get_args(MoveName)),
        description="Moves to try after a round without a gain, in this order, one per round, each where "
        "its condition holds: `restore` measures half, then a quarter, of what a round changed in which a "
        "source fell; `average` measures the mean of the last good rounds' weights; `without` "
        "trains almost without one source; `settle` lowers the learning rate and gives lagging sources more "
        "weight; `regularise` raises the weight decay; `shots` trains with more or fewer shots, `ways` with "
        "more or fewer labels at once; `unfreeze` trains one more layer; `scale` measures one and a half "
        "times, and half, of what training changed in the best round's weights. An empty list changes "
        "nothing between rounds.",
    )
    learning_rate_factor: float = Field(
        0.5, gt=0, lt=1, description="Factor by which `settle` lowers the learning rate."
    )
    min_learning_rate: float = Field(1e-7, gt=0, description="Lowest learning rate that `settle` sets.")
    source_weight_factor: float = Field(
        1.5, ge=1, description="Factor by which `settle` raises the weight of sources that lag."
    )
    max_source_weight: float = Field(4.0, ge=1, description="Highest source weight that `settle` sets.")
    min_source_weight: float = Field(
        0.1, gt=0, le=1, description="Weight of the source that `without` almost removes."
    )
    max_weight_decay: float = Field(1.0, gt=0, description="Highest weight decay that `regularise` sets.")
    min_shots: int = Field(1, ge=1, description="Lowest `episodes.max_shots` that the move `shots` sets.")
    max_shots: int = Field(16, ge=1, description="Highest `episodes.max_shots` that the move `shots` sets.")
    min_ways: int = Field(3, ge=2, description="Lowest `episodes.max_ways` that the move `ways` sets.")
    max_ways: int = Field(24, ge=2, description="Highest `episodes.max_ways` that the move `ways` sets.")

    @model_validator(mode="after")
    def _check(self) -> AdjustmentSpec:
        for what in ("shots", "ways"):
            lower, upper = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if lower > upper:
                raise ValueError(
                    f"min_{what} {lower} is more than max_{what} {upper}: lower min_{what} or raise "
                    f"max_{what}"
                )
        return self
