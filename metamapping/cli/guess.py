"""A guess: what the columns of a file with labelled texts contain, and what the user has said about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from metamapping.cli.options import Format
from metamapping.config.sources import TaskType


@dataclass(frozen=True)
class Guess:
    """A proposal for a source.

    Attributes:
        path: The file.
        format: Format of the file, where its suffix does not tell it.
        header: Whether its first line names the columns.
        task_type: Type of the task.
        text: Column of the text, or of words.
        text_pair: Column of the second text, if texts are pairs.
        label: Column of the label, or of tags or spans.
        labels: For each label the number of different texts; for ``ner``, of sentences with the type.
        num_rows: Number of rows that were looked at.
        is_whole: Whether these are all rows.
        num_words: Length in words that 95 % of the texts do not exceed.
        multi_label: Whether a text has any number of labels.
        label_separator: What separates them in one text; ``None`` if they are lists.
        label_columns: Columns of 0 and 1, one for each label, instead of one column of labels.
    """

    path: str
    format: Format | None
    header: bool
    task_type: TaskType
    text: str | int
    text_pair: str | int | None
    label: str | int | None
    labels: dict[str, int]
    num_rows: int
    is_whole: bool
    num_words: int
    multi_label: bool = False
    label_separator: str | None = None
    label_columns: tuple[str, ...] = ()

    @property
    def has_codes(self) -> bool:
        """Whether the labels are numbers or single letters, which say nothing to the encoder."""
        return all(len(label.strip("+-")) <= 1 or label.lstrip("+-").isdecimal() for label in self.labels)


@dataclass(frozen=True)
class Given:
    """What the user has said about all files; ``None`` is guessed."""

    task_type: TaskType | None = None
    text: str | None = None
    text_pair: str | None = None
    label: str | None = None
    format: Format | None = None


def frequent_length(lengths: Sequence[int]) -> int:
    """The length that 95 % of the texts do not exceed; 0 if there are none.

    Args:
        lengths: The length of each text.
    """
    return sorted(lengths)[int(0.95 * (len(lengths) - 1))] if lengths else 0
