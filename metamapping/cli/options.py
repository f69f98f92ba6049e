"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from metamapping.config.sources import TaskType

# As `publishing.runtime_model.Backend`, which takes a second to import.
Backend = Literal["auto", "runtime", "int8", "int8-anyway", "tensorflow"]
Format = Literal["csv", "tsv", "jsonl", "parquet", "conll", "xlsx"]


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


def encoder_place(text: str) -> str:
    """An argument that names an encoder: a folder, an address, or a model on the Hugging Face hub.

    Args:
        text: A path, an address, or a name such as ``sentence-transformers/all-MiniLM-L6-v2``.

    Raises:
        typer.BadParameter: There is no such folder, and it is no name of a model either.
    """
    parts = text.split("/")
    is_hub_name = len(parts) == 2 and all(parts) and not Path(parts[0]).exists()
    if "://" not in text and not Path(text).is_dir() and not is_hub_name:
        raise typer.BadParameter(f"Directory {text!r} does not exist.")
    return text


def threshold_of(text: str) -> float | str | dict[str, float]:
    """The threshold that an option says.

    Args:
        text: A number, ``auto``, ``precision=0.95``, ``outside=0.1``, or both with a comma between them.

    Raises:
        typer.BadParameter: It is something else.
    """
    from metamapping.adaptation.scope import check_threshold  # it imports NumPy

    threshold: Any = text
    try:
        if "=" in text:
            parts = [part.partition("=") for part in text.split(",")]
            threshold = {name.strip(): float(number) for name, _, number in parts}
        elif text != "auto":
            threshold = float(text)
        check_threshold(threshold)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no threshold: give a number from 0 to 1, auto, precision=0.95 or outside=0.1"
        ) from error
    return cast("float | str | dict[str, float]", threshold)


def label_columns_of(text: str) -> tuple[str, ...]:
    """The names of columns of an option.

    Args:
        text: Names separated by commas.
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


Model = Annotated[
    Path,
    typer.Argument(
        parser=folder_or_address,
        metavar="MODEL",
        help="Folder of a published encoder, or its address (`s3://…/published`).",
    ),
]
Encoder = Annotated[
    str,
    typer.Argument(
        parser=encoder_place,
        metavar="MODEL",
        help="Folder of a published encoder, or its address (`s3://…/published`); or a pretrained encoder: a "
        "Hugging Face folder, or a name on its hub.",
    ),
]
Task = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of a saved task.")]
TaskTypeOption = Annotated[TaskType, typer.Option("--task-type", help="Type of the task.")]
TextColumn = Annotated[
    str | None,
    typer.Option(
        "--text",
        metavar="COLUMN",
        help="Column of the text; default: `text`, or the only other column, or that with a usual name; for "
        "ner `words` if there is one. In CoNLL and CSV also its number, from 0.",
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
        "--label",
        metavar="COLUMN",
        help="Column of the label; default: `label`, or the only other column, or one with a usual name; "
        "for ner `tags` or spans.",
    ),
]
MultiLabelOption = Annotated[
    bool,
    typer.Option(
        "--multi-label",
        help="A text has any number of labels, as a list. Default: if any row has a list of several or none.",
    ),
]
LabelSeparatorOption = Annotated[
    str | None,
    typer.Option(
        "--label-separator",
        metavar="TEXT",
        help="What separates the labels of a text in one field, such as `|`; an empty field has none.",
    ),
]
LabelColumnsOption = Annotated[
    Any,
    typer.Option(
        "--label-columns",
        parser=label_columns_of,
        metavar="NAME,NAME",
        help="Columns of 0 and 1, one for each label and named like it, instead of --label.",
    ),
]
SkipUnlabelledOption = Annotated[
    bool,
    typer.Option(
        "--skip-unlabelled", help="Leave out rows that have no label. Default: such a row is an error."
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
    str | None,
    typer.Option(
        "--model",
        parser=encoder_place,
        metavar="MODEL",
        help="The published encoder, if it was moved since the task was adapted.",
    ),
]
BackendOption = Annotated[
    Backend,
    typer.Option(
        "--backend",
        help="What computes features: `runtime` needs no TensorFlow; `int8` is the same in 8 bits, faster "
        "and a little less exact, and refused where it was found to lose too much, which `int8-anyway` "
        "accepts; `tensorflow` uses a GPU. Default: `runtime`, if the encoder has a graph.",
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
        help="The first line of CSV and TSV, or of a sheet, is a row: columns have numbers, from 0. Default "
        "columns: the first for texts, the last for labels.",
    ),
]
SheetOption = Annotated[
    str | None,
    typer.Option(
        "--sheet", metavar="SHEET", help="Sheet of .xlsx: its name, or number from 0. Default: the first."
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
ThresholdOption = Annotated[
    Any,
    typer.Option(
        "--threshold",
        parser=threshold_of,
        metavar="NUMBER",
        help="No label if `confidence` is lower: a number from 0 to 1; `auto` for the one that is best for "
        "the task's own examples; `precision=0.95` for the lowest at which so many answers are right; "
        "`outside=0.1` if so many texts are out of scope, instead of half of them.",
    ),
]
