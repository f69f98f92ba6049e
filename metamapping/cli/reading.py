"""How a command reads its rows: the options that say where the texts and labels are.

reading = Reading(encoding, delimiter, no_header, sheet, text, label, text_pair)
with reading.open("reviews.csv") as records:
    rows = list(records.rows)
fields = reading.fields("text-classification", records)
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from metamapping.cli.entity_fields import EntityFields
from metamapping.cli.fields import PAIR, Fields
from metamapping.cli.found_columns import found_columns, names_of
from metamapping.cli.input_source import PREFIX, input_source
from metamapping.cli.options import Format
from metamapping.cli.progress import print_note
from metamapping.cli.records import Records, open_records
from metamapping.cli.rows import Row
from metamapping.config.sources import Source, TaskType
from metamapping.corpus.columns import find_name
from metamapping.corpus.rows import no_rows


@dataclass(frozen=True)
class Reading:
    """The options of a command that describe its input, as they were given.

    Attributes:
        encoding: As ``--encoding``.
        delimiter: As ``--delimiter``.
        no_header: As ``--no-header``.
        sheet: As ``--sheet``.
        text: As ``--text``.
        label: As ``--label``.
        text_pair: As ``--text-pair``.
        label_columns: As ``--label-columns``.
    """

    encoding: str = "utf-8"
    delimiter: str | None = None
    no_header: bool = False
    sheet: str | None = None
    text: str | None = None
    label: str | None = None
    text_pair: str | None = None
    label_columns: tuple[str, ...] | None = None

    def open(self, place: str, format: Format | None = None) -> AbstractContextManager[Records]:
        """Open a file or standard input.

        Args:
            place: As for ``open_records``.
            format: As for ``open_records``.

        Raises:
            ValueError: An option is not valid, or the input cannot be read.
        """
        return open_records(place, format, self._source)

    def rows(self, place: str, format: Format | None = None) -> tuple[Records, list[Row]]:
        """Read all rows of a file or of standard input.

        Args:
            place: As for ``open_records``.
            format: As for ``open_records``.

        Returns:
            What is known of the columns, and the rows.

        Raises:
            ValueError: There are no rows, or they cannot be read.
        """
        with self.open(place, format) as records:
            rows = list(records.rows)
        if not rows:
            error = no_rows(self._source.model_copy(update={"files": [records.name]}))
            raise ValueError(str(error).removeprefix(PREFIX))
        return records, rows

    def fields(
        self, task_type: TaskType, records: Records, rows: Sequence[Row] = (), *, labels: bool = False
    ) -> Fields:
        """Return the columns of a task. A note says which ones were found under names of their own.

        Args:
            task_type: The type of the task.
            records: The rows that are read.
            rows: Those of them that are known already, whose values may help to find the columns.
            labels: Whether labels are read, too.
        """
        text, label, pair = self.text, self.label, self.text_pair
        names = () if task_type == "ner" or records.header == () else names_of(records.columns, rows)
        if records.header and names:  # columns without a name are none that anybody means
            names = tuple(name for name, own in zip(names, records.header, strict=True) if own.strip())
        if names:
            own = self.label_columns or ()
            others = [name for name in names if name not in {find_name(each, names) for each in own}]
            found_text, found_label = found_columns(others, rows, text=text, label=label)
            if text is None and find_name("text", names) is None:
                text = found_text
                pair = pair or find_name(PAIR, names)
            if labels and not own and label is None and find_name("label", names) is None:
                label = found_label
            print_found(text if self.text is None else None, label if self.label is None else None)
        kind = EntityFields if task_type == "ner" else Fields
        fields = kind(task_type, text, pair, label, records.origin)
        return fields if self.label_columns is None else fields.with_label_columns(self.label_columns)

    @property
    def _source(self) -> Source:
        return input_source(
            encoding=self.encoding,
            delimiter=self.delimiter,
            header=not self.no_header,
            sheet=self.sheet,
            text=self.text,
            label=self.label,
            text_pair=self.text_pair,
            label_columns=self.label_columns,
        )


def print_found(text: str | None, label: str | None) -> None:
    """Print a note about columns that no option has named.

    Args:
        text: The column of texts that was found, if one was.
        label: The column of labels that was found, if one was.
    """
    found = [
        f"{what} from column {name!r} ({option})"
        for what, name, option in (("texts", text, "--text"), ("labels", label, "--label"))
        if name is not None
    ]
    if found:
        print_note(f"note: reading {' and '.join(found)}; the option in brackets names another one")
