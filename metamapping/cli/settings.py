"""`metamapping settings`: what a configuration can set."""

from __future__ import annotations

from typing import Annotated

import typer


def settings(
    section: Annotated[
        str | None,
        typer.Argument(help="A section, or `all`. Default: the six settings that one needs first."),
    ] = None,
) -> None:
    """List what a configuration can set: each setting with its default and what it does.

    `metamapping settings`

    `metamapping settings training`
    """
    from metamapping.config.sections import (
        describe_first,
        describe_heading,
        describe_section,
        describe_sections,
        section_names,
    )

    if section == "all":
        print(describe_sections())
    elif section is not None:
        print(describe_section(section))
    else:
        print(f"The settings that one needs first:\n{describe_first()}\n")
        print("All others are in sections (`metamapping settings training`, or `all`):")
        print("\n".join(f"  {describe_heading(name)}" for name in section_names()))
