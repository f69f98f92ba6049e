"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from metamapping.config.sources import Columns, Source, TaskType

Format = Literal["csv", "tsv", "jsonl", "parquet", "conll"]


def folder_or_address(text: str) -> Path:
    """The local folder of an argument, which may be an address.

    An address is not downloaded here, but when its folder is read.

    Args:
        text: A path, or an address such as ``s3://bucket/folder``.

    Raises:
        typer.BadParameter: There is no such folder.
    """
    from metamapping.storage.remote import local_folder

    if "://" not in text and not Path(text).is_dir():
        raise typer.BadParameter(f"Directory {text!r} does not exist.")
    return local_folder(text)


def input_source(
    *,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    header: bool = True,
    text: str | None = None,
    label: str | None = None,
    text_pair: str | None = None,
) -> Source:
    """How the commands read text files, for the readers of the corpus.

    Args:
        encoding: The encoding of text files.
        delimiter: What separates the fields of CSV and TSV files; `tab` is a tab. Default: it is found.
        header: Whether the first line of CSV and TSV files names the columns.
        text: Name or number of the column of texts; for CoNLL of words.
        label: Name or number of the column of labels; for CoNLL of tags.
        text_pair: Name or number of the column of second texts.

    Raises:
        ValueError: The delimiter is not one character.
    """
    if delimiter is not None:
        delimiter = "\t" if delimiter in ("tab", "\\t") else delimiter
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise ValueError(
                f"--delimiter is {delimiter!r}: give one character, such as --delimiter ';', or tab"
            )
    return Source(
        name="input",
        task_type="text-classification",
        role="test",
        files=["-"],
        encoding=encoding,
        delimiter=delimiter,
        header=header,
        columns=Columns(
            text=_column(text, "words"),
            label=_column(label, "tags"),
            text_pair=_column(text_pair, "text_pair"),
        ),
    )


def _column(name: str | None, default: str) -> str | int | None:
    """The number of a column, or its name; ``None`` for the default name."""
    if name is None or name == default:
        return None
    return int(name) if name.removeprefix("-").isdecimal() else name


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
    typer.Option(
        "--text",
        metavar="COLUMN",
        help="Column of the text; default: `text`, for ner `words` if there is one. In CoNLL and CSV also "
        "its number, from 0.",
    ),
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
    typer.Option(
        "--label", metavar="COLUMN", help="Column of the label; default: `label`, for ner `tags` or spans."
    ),
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
EncodingOption = Annotated[
    str, typer.Option("--encoding", help="Encoding of the text that is read, such as `cp1252` or `utf-16`.")
]
DelimiterOption = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHARACTER",
        help="What separates the fields of CSV and TSV, such as `;` or `tab`. Default: for CSV it is found.",
    ),
]
NoHeaderOption = Annotated[
    bool,
    typer.Option(
        "--no-header",
        help="The first line of CSV and TSV is a row: columns have numbers, from 0. Default columns: the "
        "first for texts, the last for labels.",
    ),
]
TagColumn = Annotated[
    str | None,
    typer.Option(
        "--label",
        metavar="COLUMN",
        help="Column of the tags in CoNLL, where there are several; default: the last.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
