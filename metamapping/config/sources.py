"""Sources: the labelled corpora of a run, as users have them.

A source names its files or a data set on the Hugging Face hub, its task type, the roles it plays, and where
its texts and labels are.

    Source(name="reviews", task_type="sentiment-analysis", role="train", files=["reviews.csv"])
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from metamapping.config.labels import label_keys, label_texts
from metamapping.config.part import Name, Part

TaskType = Literal["ner", "sentiment-analysis", "text-classification"]
Role = Literal["train", "validation", "test"]
ROLES: tuple[Role, ...] = ("train", "validation", "test")


def _as_list(files: Any) -> Any:
    return [files] if isinstance(files, str) else files


def _spell_labels(labels: Any) -> Any:
    return label_texts(labels) if isinstance(labels, list | tuple) else labels


def _spell_keys(values: Any) -> Any:
    return label_keys(values) if isinstance(values, dict) else values


# Labels in a configuration may be written as texts or as numbers.
Labels = Annotated[list[str], BeforeValidator(_spell_labels)]


class Hub(Part):
    """A data set on the Hugging Face hub, read through ``datasets.load_dataset``."""

    path: str = Field(description="Name of the data set on the hub, such as `mteb/banking77`.")
    config: str | None = Field(
        None, description="Name of the data set's configuration. Default: the only one it has."
    )
    split: str = Field("train", description="Name of the split to read.")
    revision: str | None = Field(
        None,
        description="Commit hash of the data set, which makes a run repeatable. Default: the newest commit.",
    )


class Columns(Part):
    """The columns of a source: by name, or by number, from 0, in files without a header."""

    text: str | int | None = Field(
        None,
        description="Column of the text; for `ner`, of the text or of the list of words. A dotted name "
        "(`review.body`) selects a nested field. Default: `text` (`ner`: `words` if there is one), or the "
        "first column of files without a header.",
    )
    text_pair: str | int | None = Field(
        None, description="Column of the second text of a pair. Default: the texts are not pairs."
    )
    label: str | int | None = Field(
        None,
        description="Column of the label; for `ner`, of the list of tags or spans. Default: `label` (`ner`: "
        "`tags`, or `spans`, `entities`, `label` or `labels` beside a text), or the last column of files "
        "without a header.",
    )
    label_columns: list[str] | None = Field(
        None,
        description="Columns of 0 and 1, one for each label and named like it, instead of one column "
        "`label`: a text has the labels whose columns are 1 (any number with `multi_label`, else exactly "
        "one). Default: one column has the labels.",
    )

    @model_validator(mode="after")
    def _check_label_columns(self) -> Columns:
        if self.label_columns is None:
            return self
        if self.label is not None:
            raise ValueError("`label` and `label_columns` cannot be combined: drop one of them")
        if len(self.label_columns) < 2:
            raise ValueError(
                f"`label_columns` is {self.label_columns}: name a column for each label, at least two"
            )
        twice = [name for name in self.label_columns if self.label_columns.count(name) > 1]
        if twice:
            raise ValueError(f"`label_columns` has {twice[0]!r} twice: name each column once")
        return self


class Source(Part):
    """One labelled corpus as a user has it."""

    name: Name = Field(description="Unique short name of the source, used in reports and paths.")
    task_type: TaskType = Field(description="Type of language task that the labels belong to.")
    role: Role | None = Field(
        None,
        description="Use of the whole source: for training, for validation after each round, or for the "
        "final test. Default: `label_roles` assigns the labels to roles.",
    )
    label_roles: dict[Role, Labels | str] | None = Field(
        None,
        description="Split of the source by label: for each role a list of labels, or the path of a text "
        "file with one label per line. Default: all labels have the same `role`.",
    )
    files: Annotated[list[str], BeforeValidator(_as_list)] | None = Field(
        None,
        description="Paths of local CSV, TSV, JSONL, JSON, Parquet, CoNLL or .xlsx files, of folders of such "
        "files, or patterns (`data/*.csv`); one, or a list. `~` is the home folder. Default: the source "
        "comes from `hub`.",
    )
    hub: Hub | None = Field(
        None,
        description="Data set on the Hugging Face hub, instead of files. Default: the source comes from "
        "`files`.",
    )
    format: Literal["csv", "tsv", "jsonl", "parquet", "conll", "xlsx"] | None = Field(
        None, description="Format of the files. Default: the format given by their suffix."
    )
    sheet: str | int | None = Field(
        None,
        description="Sheet of .xlsx files, by its name, or by its number from 0. Default: the first sheet.",
    )
    encoding: str = Field("utf-8", description="Text encoding of the files.")
    header: bool = Field(
        True,
        description="Whether the first line of CSV and TSV files, and the first row of a sheet, contains the "
        "column names.",
    )
    delimiter: str | None = Field(
        None,
        description="Character that separates the fields of CSV and TSV files, such as `;`. Default: a tab "
        "for TSV; for CSV the one of comma, semicolon, tab and bar that fits the first rows.",
    )
    quotes: bool | None = Field(
        None,
        description="Whether fields of CSV and TSV files may be enclosed in double quotes. Default: true "
        "for CSV, false for TSV.",
    )
    columns: Columns = Field(Columns(), description="Columns of the texts and labels.")
    labels: Labels | None = Field(
        None,
        description="All labels of the source (`ner`: all tags); rows with other labels are rejected. Where "
        "the source contains numbers instead of labels, they index this list from 0. Default: the labels "
        "that occur.",
    )
    drop_labels: Labels = Field(
        default_factory=list,
        description="Labels whose rows are left out (`ner`: entity types that are treated as outside any "
        "entity; `multi_label`: labels that are removed from their texts).",
    )
    multi_label: bool = Field(
        False,
        description="Whether a text has any number of labels, none included. The column of the label then "
        "has lists (in CSV as JSON), or texts with a `label_separator`.",
    )
    label_separator: str | None = Field(
        None,
        description="What separates the labels of a text with `multi_label`, such as `|`; an empty field "
        "is a text without any. Default: the labels are lists.",
    )
    ordinal: Labels | None = Field(
        None,
        description="All labels in their order, if they are grades (`[bad, ok, good]`): evaluation then "
        "predicts near the true grade, and reports the mean absolute error and the quadratic kappa. Default: "
        "the labels have no order.",
    )
    label_names: Annotated[dict[str, str], BeforeValidator(_spell_keys)] = Field(
        default_factory=dict,
        description="Readable name of each label (`card_fee: fee for a card payment`); a label that the "
        "source does not have is an error. Numbers are compared by value: `1` is the label `1.0`, too. "
        "Default for a label that is not listed: its underscores and capital letters are split into words.",
    )
    keep_all: bool = Field(
        False,
        description="Whether rows are exempt from `filters` and `duplicates`, for test files of which a "
        "published protocol scores every row.",
    )
    licence: str = Field("", description="License of the data, shown in the model card. Default: not stated.")

    @model_validator(mode="after")
    def _check(self) -> Source:
        if (self.files is None) == (self.hub is None):
            raise ValueError(f"source {self.name!r} needs either `files` or `hub`, and not both")
        if self.files is not None and not self.files:
            raise ValueError(f"source {self.name!r} lists no files: name at least one")
        if (self.role is None) == (self.label_roles is None):
            raise ValueError(
                f"source {self.name!r} needs either `role` (one of {', '.join(ROLES)}) or "
                "`label_roles`, and not both"
            )
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ValueError(
                f"source {self.name!r}: `delimiter` is {self.delimiter!r}: give one character, such as ';'"
            )
        if self.task_type == "ner" and (self.columns.text_pair is not None or self.label_roles):
            raise ValueError(
                f"source {self.name!r}: `ner` supports neither text pairs nor label_roles: drop them"
            )
        self._check_label_columns()
        self._check_multi_label()
        self._check_ordinal()
        return self

    def _check_label_columns(self) -> None:
        if self.columns.label_columns is None:
            return
        for setting, is_set, instead in (
            ("task_type: ner", self.task_type == "ner", "words have tags, whole texts columns of 0 and 1"),
            ("label_separator", self.label_separator is not None, "each label has a column of its own"),
            ("header: false", not self.header, "the columns' names are the labels"),
            ("format: conll", self.format == "conll", "CoNLL has a tag for each word"),
        ):
            if is_set:
                raise ValueError(
                    f"source {self.name!r}: `columns.label_columns` and `{setting}` cannot be combined: "
                    f"{instead}; drop one of them"
                )

    def _check_multi_label(self) -> None:
        if not self.multi_label:
            if self.label_separator is not None:
                raise ValueError(
                    f"source {self.name!r}: `label_separator` is for several labels a text: add "
                    "`multi_label: true`, or drop it"
                )
            return
        if self.label_separator is not None and not self.label_separator.strip(" "):
            raise ValueError(
                f"source {self.name!r}: `label_separator` is {self.label_separator!r}: give a "
                "character, such as '|'"
            )
        for setting, is_set, instead in (
            ("task_type: ner", self.task_type == "ner", "words have one label each, whole texts any number"),
            ("ordinal", self.ordinal is not None, "grades exclude one another, so that a text has one"),
            ("label_roles", bool(self.label_roles), "a text may have labels of two roles, so give a `role`"),
        ):
            if is_set:
                raise ValueError(
                    f"source {self.name!r}: `multi_label` and `{setting}` cannot be combined: {instead}; "
                    "drop one of them"
                )

    def _check_ordinal(self) -> None:
        if self.ordinal is None:
            return
        twice = [grade for grade in self.ordinal if self.ordinal.count(grade) > 1]
        if twice:
            raise ValueError(
                f"source {self.name!r}: `ordinal` has {twice[0]!r} twice: give each grade once, from one end "
                "to the other"
            )
        if len(self.ordinal) < 2:
            raise ValueError(
                f"source {self.name!r}: `ordinal` is {self.ordinal}: give at least two grades, from one end "
                "to the other"
            )
        for setting, is_set, instead in (
            (
                "task_type: ner",
                self.task_type == "ner",
                "types of entities have no order, labels of texts may",
            ),
            ("label_roles", bool(self.label_roles), "the grades of a source stay together, so give a `role`"),
        ):
            if is_set:
                raise ValueError(
                    f"source {self.name!r}: `ordinal` and `{setting}` cannot be combined: {instead}; drop "
                    "one of them"
                )
        kept = None if self.labels is None else set(self.labels) - set(self.drop_labels)
        dropped = set(self.ordinal) & set(self.drop_labels)
        if dropped or (kept is not None and kept != set(self.ordinal)):
            wrong = sorted(dropped or kept ^ set(self.ordinal))  # type: ignore[operator]
            raise ValueError(
                f"source {self.name!r}: `ordinal` and the labels that are kept differ in {', '.join(wrong)}: "
                "list in `ordinal` every label of `labels` that is not in `drop_labels`, and no other"
            )

    @property
    def roles(self) -> set[Role]:
        """The roles of the source, each for all or for some of its labels."""
        return set(self.label_roles) if self.label_roles else {self.role}  # type: ignore[arg-type]


def readable_label(label: str, label_names: dict[str, str]) -> str:
    """Return the words under which the model reads a label.

    Args:
        label: The label as the source writes it.
        label_names: Configured names by label.

    Returns:
        The configured name, or the label split into lower-case words.

    >>> readable_label("card_paymentFee", {})
    'card payment fee'
    """
    if label in label_names:
        return label_names[label]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"[_\-/.:]+", " ", label))
    return " ".join(words.lower().split()) or label
