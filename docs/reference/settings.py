"""MkDocs hook that replaces ``{{ settings }}`` in a page by tables of all settings, a section each.

The tables are made from the models of the configuration, so they cannot go stale.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from metamapping.config.schema import RunConfig

PLACEHOLDER = "{{ settings }}"
_TYPES = {
    str: "text",
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    list: "list",
    dict: "mapping",
}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the placeholder in a page by a table for each section of the configuration."""
    return markdown.replace(PLACEHOLDER, settings_markdown()) if PLACEHOLDER in markdown else markdown


def settings_markdown() -> str:
    """The tables of all sections: the run as a whole first, then in the order of the configuration."""
    return "\n\n".join(_tables(RunConfig, "", "## The run as a whole"))


def _tables(model: type[BaseModel], prefix: str, heading: str) -> Iterator[str]:
    parts = {name: part for name, info in model.model_fields.items() if (part := model_in(info.annotation))}
    rows = [
        f"| `{name}` | {_values(info)} | {_default(info)} | {_cell(info.description or '')} |"
        for name, info in model.model_fields.items()
        if name not in parts
    ]
    if rows:
        columns = ["| setting | values | default | |", "| --- | --- | --- | --- |"]
        yield "\n".join([heading, "", *columns, *rows])
    for name, part in parts.items():
        info = model.model_fields[name]
        place = f"{prefix}{name}{'[]' if get_origin(info.annotation) is list else ''}"
        yield from _tables(part, f"{place}.", f"## `{place}`\n\n{_cell(info.description or '')}")


def _values(info: FieldInfo) -> str:
    """The choices of a setting, or its type with its bounds."""
    choices = _choices(info.annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    words = [word for kind, word in _TYPES.items() if _contains(info.annotation, kind)]
    bounds = [
        f"{sign} {getattr(bound, name)}"
        for bound in info.metadata
        for name, sign in _BOUNDS.items()
        if getattr(bound, name, None) is not None
    ]
    return ", ".join([" or ".join(words), *bounds])


def _choices(annotation: Any) -> list[Any]:
    """The values of the ``Literal`` in a type, unless it is the type of a mapping's keys."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) is dict:
        return []
    return [choice for part in get_args(annotation) for choice in _choices(part)]


def _contains(annotation: Any, kind: type) -> bool:
    if kind in (annotation, get_origin(annotation)):
        return True
    return get_origin(annotation) not in (list, dict) and any(
        _contains(a, kind) for a in get_args(annotation)
    )


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True)
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"`{shown}`"


def _cell(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The part of the configuration within a type, such as ``Source`` in ``list[Source]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)
