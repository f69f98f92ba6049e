"""Settings that the loop may change between rounds, each under one name.

Input: a run's configuration. Output: its adjustable part, from which settings are read, and in which they are
replaced, by the names that adjustments use. ``SOURCE_WEIGHT`` is a prefix: the source's name follows it.

    settings = AdjustableSettings.of(config)
    settings = settings.with_values({"learning_rate": 1e-5, SOURCE_WEIGHT + "coffee": 1.5})
    settings.values["learning_rate"]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from metamapping.config.episodes import EpisodeSpec
from metamapping.config.schema import RunConfig
from metamapping.config.training import TrainingSpec
from metamapping.rounds.records import Value

LEARNING_RATE = "learning_rate"
WEIGHT_DECAY = "weight_decay"
MAX_SHOTS = "episodes.max_shots"
MAX_WAYS = "episodes.max_ways"
TRAINABLE_LAYERS = "encoder.trainable_layers"
SOURCE_WEIGHT = "source_weights."

# Where each named setting is found in an `AdjustableSettings`.
_PATHS: dict[str, tuple[str, ...]] = {
    LEARNING_RATE: ("training", "learning_rate"),
    WEIGHT_DECAY: ("training", "weight_decay"),
    MAX_SHOTS: ("episodes", "max_shots"),
    MAX_WAYS: ("episodes", "max_ways"),
    TRAINABLE_LAYERS: ("trainable_layers",),
}


class AdjustableSettings(BaseModel):
    """The part of a configuration that adjustments can change.

    Attributes:
        training: Settings of the outer loop.
        episodes: Settings of the training batches.
        trainable_layers: Upper encoder layers to train; ``None`` trains all of them.
    """

    model_config = ConfigDict(frozen=True)

    training: TrainingSpec
    episodes: EpisodeSpec
    trainable_layers: int | None = None

    @classmethod
    def of(cls, config: RunConfig) -> AdjustableSettings:
        """Take the adjustable settings out of a configuration.

        Args:
            config: The configuration of the run.
        """
        return cls(
            training=config.training,
            episodes=config.episodes,
            trainable_layers=config.encoder.trainable_layers,
        )

    @property
    def values(self) -> dict[str, Value]:
        """The value of each setting by its name; of the source weights those that are configured."""
        data = self.model_dump()
        names = [*_PATHS, *(SOURCE_WEIGHT + source for source in self.training.source_weights)]
        return {name: _part_with(data, name)[_path(name)[-1]] for name in names}

    def with_values(self, values: Mapping[str, Value]) -> AdjustableSettings:
        """Replace settings by name.

        Args:
            values: The new value of each setting that changes.

        Returns:
            Settings with the new values; this object stays unchanged.

        Raises:
            ValueError: If there is no setting of that name, or the setting does not allow the value.
        """
        data = self.model_dump()
        for name, value in values.items():
            _part_with(data, name)[_path(name)[-1]] = value
        return AdjustableSettings.model_validate(data)


def _part_with(data: dict[str, Any], name: str) -> dict[str, Any]:
    """The dictionary within ``data`` that holds the named setting."""
    for key in _path(name)[:-1]:
        data = data[key]
    return data


def _path(name: str) -> tuple[str, ...]:
    if name.startswith(SOURCE_WEIGHT):
        return ("training", "source_weights", name.removeprefix(SOURCE_WEIGHT))
    if name not in _PATHS:
        known = ", ".join([f"{SOURCE_WEIGHT}<source>", *sorted(_PATHS)])
        raise ValueError(f"adjustment of {name!r}: there is no such setting; known settings: {known}")
    return _PATHS[name]
