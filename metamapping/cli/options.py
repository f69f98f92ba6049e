"""Options that several commands have, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metamapping.config.sources import TaskType

Format = Literal["csv", "tsv", "jsonl", "parquet", "conll"]


def folder_or_address(text: str) -> Path:
    """The folder of an argument; an address is fetched by what reads it."""
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
TaskTypeOption = Annotated[TaskType, typer.Option("--task-type", help="What the labels are about.")]
TextColumn = Annotated[
    str | None, typer.Option("--text", metavar="COLUMN", help="Column of the text; `text`, for ner `words`.")
]
PairColumn = Annotated[
    str | None,
    typer.Option("--text-pair", metavar="COLUMN", help="Column of the second text; `text_pair` if there."),
]
LabelColumn = Annotated[
    str | None,
    typer.Option("--label", metavar="COLUMN", help="Column of the label; `label`, for ner `tags`."),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="Format of standard input and output (else JSONL), and of files whose suffix does not say it.",
    ),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        parser=folder_or_address,
        metavar="MODEL",
        help="The published encoder, where it has moved since the task was adapted.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
