"""Input source: how the commands read text files, said in the words of the corpus, whose readers they use."""

from __future__ import annotations

from collections.abc import Sequence

from metamapping.config.sources import Columns, Source

# The name of the source that a command reads, and how error messages of the corpus begin with it.
_NAME = "input"
PREFIX = f"source {_NAME!r}: "


def input_source(
    *,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    header: bool = True,
    sheet: str | None = None,
    text: str | None = None,
    label: str | None = None,
    text_pair: str | None = None,
    label_columns: Sequence[str] | None = None,
) -> Source:
    """How the commands read text files, for the readers of the corpus.

    Args:
        encoding: The encoding of text files.
        delimiter: What separates the fields of CSV and TSV files; `tab` is a tab. Default: it is found.
        header: Whether the first line of CSV and TSV files names the columns.
        sheet: Name or number of the sheet of .xlsx files. Default: the first one.
        text: Name or number of the column of texts; for CoNLL of words.
        label: Name or number of the column of labels; for CoNLL of tags.
        text_pair: Name or number of the column of second texts.
        label_columns: Names of columns of 0 and 1, one for each label.

    Raises:
        ValueError: The delimiter is not one character, or the columns of labels cannot be read so.
    """
    if delimiter is not None:
        delimiter = "\t" if delimiter in ("tab", "\\t") else delimiter
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise ValueError(
                f"--delimiter is {delimiter!r}: give one character, such as --delimiter ';', or tab"
            )
    if label_columns is not None:
        check_label_columns(label_columns, label=label, header=header)
    return Source(
        name=_NAME,
        task_type="text-classification",
        role="test",
        files=["-"],
        encoding=encoding,
        delimiter=delimiter,
        header=header,
        sheet=int(sheet) if sheet is not None and sheet.removeprefix("-").isdecimal() else sheet,
        columns=Columns(
            text=_column(text, "words"),
            label=_column(label, "tags"),
            text_pair=_column(text_pair, "text_pair"),
            label_columns=None if label_columns is None else list(label_columns),
        ),
    )


def check_label_columns(label_columns: Sequence[str], *, label: str | None, header: bool) -> None:
    """Check the columns of `--label-columns`.

    Args:
        label_columns: Their names.
        label: The column of `--label`, if it is given.
        header: Whether columns have names.

    Raises:
        ValueError: They cannot be read together with the other options.
    """
    if label is not None:
        raise ValueError("--label and --label-columns cannot be combined: drop one of them")
    if not header:
        raise ValueError(
            "--label-columns and --no-header cannot be combined: the columns' names are the labels"
        )
    if len(set(label_columns)) < max(2, len(label_columns)):
        raise ValueError(
            f"--label-columns is {','.join(label_columns)!r}: name a column for each label, at least two, "
            "and each once, such as --label-columns toxic,insult"
        )


def _column(name: str | None, default: str) -> str | int | None:
    """The number of a column, or its name; ``None`` for the default name."""
    if name is None or name == default:
        return None
    return int(name) if name.removeprefix("-").isdecimal() else name
