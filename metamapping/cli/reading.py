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

from metamapping.cli.fields import Fields
from metamapping.cli.options import PREFIX, Format, input_source
from metamapping.cli.progress import print_note
from metamapping.cli.records import Records, open_records
from metamapping.cli.rows import Row
from metamapping.config.sources import Source, TaskType
from metamapping.corpus.columns import nested_value
from metamapping.corpus.records import no_rows
from metamapping.corpus.tool_exports import LABEL, UNANSWERED, is_unanswered
from metamapping.rounds.wording import count


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
    """

    encoding: str = "utf-8"
    delimiter: str | None = None
    no_header: bool = False
    sheet: str | None = None
    text: str | None = None
    label: str | None = None
    text_pair: str | None = None

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

    def fields(self, task_type: TaskType, records: Records) -> Fields:
        """Return the columns of a task.

        Args:
            task_type: The type of the task.
            records: The rows that are read.
        """
        return Fields(task_type, self.text, self.text_pair, self.label, records.origin)

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
        )


def answered(fields: Fields, rows: Sequence[Row]) -> list[int]:
    """Return the positions of all rows but those of a labelling tool whose annotators gave no answer.

    A note says how many are left out.

    Args:
        fields: The columns; the rows of ``ner`` are not looked at.
        rows: The rows.
    """
    label = fields.label_column or LABEL
    kept = [
        i
        for i, row in enumerate(rows)
        if fields.is_ner or nested_value(row, label) is not None or not is_unanswered(row)
    ]
    if len(kept) < len(rows):
        print_note(f"note: {count(len(rows) - len(kept), 'row')} left out: {UNANSWERED}")
    return kept
