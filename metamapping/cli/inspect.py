"""`metamapping inspect`: describe a folder. It reads JSON only, without TensorFlow or a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from metamapping.cli.options import JsonOption, folder_or_address


def inspect(
    folder: Annotated[
        Path,
        typer.Argument(
            parser=folder_or_address,
            metavar="FOLDER",
            help="Folder or address of a published encoder, a saved task, a run or a stage.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Describe a folder: a published encoder, a saved task, a run or a stage.

    Files are verified against their checksums; a damaged file is reported by its name.

    `metamapping inspect .metamapping/runs/demo-1f0c3a77b2d94e61`

    `metamapping inspect my-tasks/orders --json`
    """
    from metamapping.cli.folders import describe_folder
    from metamapping.cli.tables import print_json, print_table

    described = describe_folder(folder)
    if as_json:
        print_json(described)
        return
    print_table(("", ""), [(name.replace("_", " "), _shown(value)) for name, value in described.items()])


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {each}" for name, each in value.items()) or "none"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
