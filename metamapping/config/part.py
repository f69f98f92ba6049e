"""What all parts of a configuration have in common: the base model, and the type of names.

Parts are nested models; ``schema.RunConfig`` contains all of them.

    class EngineSpec(Part):
        num_workers: int | None = Field(None, description="...")
"""

from __future__ import annotations

import re
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator

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
        field.setdefault("position", position)


class WithoutBooleanNumbers(BaseModel):
    """A model that rejects booleans where it expects texts or numbers.

    By itself pydantic reads ``False`` as the number 0, so that a column named ``no``, which YAML reads as
    a boolean, would silently be column 0.
    """

    @field_validator("*", mode="before")
    @classmethod
    def _check_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if _has_boolean(value) and not _allows(annotation, bool):
            if _allows(annotation, str):
                raise ValueError(
                    "a boolean is neither a name nor a number: YAML reads yes, no, on, off, true and false "
                    "without quotes as booleans; put it in quotes if it is a text, such as 'no', and leave "
                    "the setting out if it should have no value"
                )
            raise ValueError("a boolean is not a number: give a number")
        return value


def _has_boolean(value: Any) -> bool:
    """Whether a value is a boolean or contains one; nested models check their own fields."""
    if isinstance(value, dict):
        return any(_has_boolean(item) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple):
        return any(_has_boolean(item) for item in value)
    return isinstance(value, bool)


def _allows(annotation: Any, kind: type) -> bool:
    """Whether a type is, or contains, ``kind``; every model and ``Any`` count as containing it."""
    if annotation is Any or annotation is kind:
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_allows(argument, kind) for argument in get_args(annotation))


class Part(WithoutBooleanNumbers):
    """A part of the configuration: immutable, and strict about unknown keys and non-finite numbers."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, json_schema_extra=_number_fields
    )
