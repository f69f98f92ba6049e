"""What all parts of a configuration have in common: the base model, and the type of names.

Parts are nested models; ``schema.RunConfig`` contains all of them.

    class EngineSpec(Part):
        num_workers: int | None = Field(None, description="...")
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_MAX_NAME_CHARACTERS = 100


def _check_name(name: str) -> str:
    # A name becomes part of a path: without separators and a leading dot it cannot leave the store.
    if not _NAME.fullmatch(name) or ".." in name or len(name) > _MAX_NAME_CHARACTERS:
        raise ValueError(
            f"name {name!r} must be 1 to {_MAX_NAME_CHARACTERS} letters, digits and . _ + - (no path), "
            "beginning with a letter or digit"
        )
    return name


Name = Annotated[str, AfterValidator(_check_name)]


def _number_fields(schema: dict[str, Any]) -> None:
    # The form of a Prefect deployment sorts the fields by `position`, or by name where there is none.
    for position, field in enumerate(schema.get("properties", {}).values()):
        field["position"] = position


class Part(BaseModel):
    """A part of the configuration: immutable, and strict about unknown keys and non-finite numbers."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, json_schema_extra=_number_fields
    )
