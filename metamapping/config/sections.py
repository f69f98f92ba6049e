"""Sections: the settings of a configuration in groups, and the few that one needs first.

print(describe_first())
print(describe_section("training"))
"""

from __future__ import annotations

import difflib

from metamapping.config.loading import describe_settings
from metamapping.config.schema import RunConfig
from metamapping.errors import ConfigError

FIRST = (
    "sources[].files",
    "sources[].task_type",
    "sources[].role",
    "sources[].columns",
    "encoder.preset",
    "training.meta_steps",
)
_RUN = "run"  # the settings that belong to no section


def section_names() -> list[str]:
    """Return the names of all sections: `run` for the settings at the top level, then those with parts."""
    return list(_sections())


def describe_first() -> str:
    """Return the settings that every configuration needs first, one line each."""
    lines = {_name(line): line for line in describe_settings().splitlines()}
    return "\n".join(lines[name] for name in FIRST)


def describe_section(name: str) -> str:
    """Return the settings of a section, one line each, under the section's own description.

    Args:
        name: One of ``section_names``.

    Raises:
        ConfigError: There is no such section.
    """
    sections = _sections()
    if name not in sections:
        similar = difflib.get_close_matches(name, sections, n=1)
        hint = f"did you mean {similar[0]!r}? " if similar else ""
        raise ConfigError(f"there is no section {name!r}: {hint}The sections are {', '.join(sections)}")
    return "\n".join([describe_heading(name), *sections[name]])


def describe_heading(name: str) -> str:
    """Return a section's name and what it is about.

    Args:
        name: One of ``section_names``.
    """
    if name == _RUN:
        return "run: The run as a whole."
    return f"{name}: {RunConfig.model_fields[name].description}"


def describe_sections() -> str:
    """Return all settings, those that one needs first, and then section by section."""
    parts = [f"The settings that one needs first:\n{describe_first()}"]
    return "\n\n".join([*parts, *map(describe_section, section_names())])


def _sections() -> dict[str, list[str]]:
    """The lines of each section without its own."""
    sections: dict[str, list[str]] = {_RUN: []}
    for line in describe_settings().splitlines():
        name = _name(line)
        top = name.split(".")[0].removesuffix("[]")
        if "." in name:
            sections.setdefault(top, []).append(line)
    with_parts = set(sections)
    sections[_RUN] = [
        line
        for line in describe_settings().splitlines()
        if "." not in _name(line) and _name(line).removesuffix("[]") not in with_parts
    ]
    return sections


def _name(line: str) -> str:
    return line.strip().split(" ")[0].rstrip(":")
