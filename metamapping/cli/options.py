"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metamapping.config.sources import TaskType

Format = Literal["csv", "tsv", "jsonl", "parquet", "conll"]


def folder_or_address(text: str) -> Path:
    """The local folder of an argument, which may be an address.

    An address is not downloaded here, but when its folder is read. Raises ``typer.BadParameter`` if there is
    no such folder.
    """
    from metamapping.storage.remote import local_folder

    if "://" not in text and not Path(text).is_dir():
        raise typer.BadParameter(f"Directory {text!r} does not exist.")
    return local_folder(text)


Model = Annotated[
    Path,
    typer.Argument(
        parser=folder_or_address,
        metavar="MODEL",
        help="Folder of a published encoder, or its address (`s3://…/published`).",
    ),
]
Task = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of a saved task.")]
TaskTypeOption = Annotated[TaskType, typer.Option("--task-type", help="Type of the task.")]
TextColumn = Annotated[
    str | None,
    typer.Option("--text", metavar="COLUMN", help="Column of the text; default: `text`, for ner `words`."),
]
PairColumn = Annotated[
    str | None,
    typer.Option(
        "--text-pair",
        metavar="COLUMN",
        help="Column of the second text; default: `text_pair`, if there is one.",
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option("--label", metavar="COLUMN", help="Column of the label; default: `label`, for ner `tags`."),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="Format of standard input and output (default: JSONL), and of files without a known suffix.",
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        parser=folder_or_address,
        metavar="MODEL",
        help="The published encoder, if it was moved since the task was adapted.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
