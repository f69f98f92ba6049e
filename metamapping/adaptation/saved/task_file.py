"""Task file: the contents of ``task.json``, as it is written and accepted.

What only some tasks have is optional, and absent in the files of all others.

    task = TaskFile.model_validate_json(content)
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from metamapping.config.sources import TaskType


class LogisticFile(BaseModel):
    """A ``LogisticPart`` in ``task.json``, without its weights."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    ridge: Annotated[float, Field(gt=0)]
    share: Annotated[float, Field(ge=0)]
    ridge_share: Annotated[float, Field(ge=0)]
    inverse_temperature: Annotated[float, Field(gt=0)]


class TuningFile(BaseModel):
    """A ``Tuning`` in ``task.json``."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    weight: Annotated[float, Field(ge=0, le=1)]
    steps: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]
    num_left_out: Annotated[int, Field(ge=0)]
    likelihood_before: float | None
    likelihood_after: float | None
    gain_error: float | None
    reason: Annotated[str, Field(max_length=500)]
    scale_factor: Annotated[float, Field(gt=0)] = 1.0
    num_layers: Annotated[int, Field(ge=1)] | None = None


class GradeCutsFile(BaseModel):
    """``GradeCuts`` in ``task.json``."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    centre: float
    scale: Annotated[float, Field(gt=0)]
    slope: Annotated[float, Field(gt=0)]
    cuts: list[float]
    share: Annotated[float, Field(ge=0, le=1)] = 0.5  # files of earlier versions lack it


class OutsideFile(BaseModel):
    """An ``Outside`` in ``task.json``, without its features."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    label: str | bool | int | float
    num_examples: Annotated[int, Field(ge=0)]
    texts: list[str] | None
    text_pairs: list[str] | None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None


class TaskFile(BaseModel):
    """The contents of ``task.json``."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    format_version: int
    task_type: TaskType
    labels: list[str] | list[bool] | list[int | float]
    names: list[str]
    model_folder: str
    model_fingerprint: str
    ridge: Annotated[float, Field(gt=0)] | None
    views: list[Annotated[float, Field(ge=0, le=1)]]
    logistic: LogisticFile | None = None
    scale: Annotated[float, Field(gt=0)]
    centre: float
    slope: float
    num_examples: Annotated[int, Field(ge=0)]
    is_pair: bool
    # Absent in tasks of one label a text, so that releases without several labels refuse those that have it.
    multi_label: Literal[True] | None = None
    texts: list[str] | list[list[str]] | None
    text_pairs: list[str] | None
    # These are left out where there is nothing to say, so that earlier releases read all other tasks.
    outside: OutsideFile | None = None
    is_ordinal: bool = False
    tuning: TuningFile | None = None
    grade_cuts: GradeCutsFile | None = None
    type_ridge: Annotated[float, Field(gt=0)] | None = None
    # Whether the centre is one of a nearness that counts the means of the labels.
    near_mean: Literal[True] | None = None
    # What the features of the examples were computed with, unless in float32.
    precision: Literal["int8"] | None = None
