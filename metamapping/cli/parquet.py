"""Add predictions to a Parquet file whose other columns stay as they are, to the bit.

Only the columns that are read are converted to Python values. Most types have no exact counterpart there:
nanoseconds, maps, integers above 2**63, or columns of nulls would change or could not be written again.

    table = with_predictions(read_table(records), labelling, on_progress=print)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from metamapping.cli.entity_fields import EntityFields
from metamapping.cli.fields import PAIR
from metamapping.cli.labelling import Labelling
from metamapping.cli.records import ROWS_PER_PART
from metamapping.cli.rows import Row
from metamapping.cli.writing import table_of
from metamapping.corpus.columns import find_name

if TYPE_CHECKING:
    import pyarrow as pa


def with_predictions(
    table: pa.Table, labelling: Labelling, *, on_progress: Callable[[int], None]
) -> pa.Table:
    """Label the rows of a table.

    Args:
        table: The table.
        labelling: Adds the predictions.
        on_progress: Called with the number of rows of each finished part.

    Returns:
        The table with the new columns at the end.

    Raises:
        ValueError: The table already has one of the new columns, or a row has no text.
    """
    import pyarrow as pa  # it is there, since there is a table

    rows = labelling.rows(_rows(table, labelling), on_progress=on_progress)
    added = table_of({name: row[name] for name in labelling.columns} for row in rows)
    for name in labelling.columns:
        # A file without rows has no values from which a type would follow.
        column = added.column(name) if len(added) else pa.nulls(0, pa.string())
        table = table.append_column(name, column)
    return table


def _rows(table: pa.Table, labelling: Labelling) -> Iterator[Row]:
    """The columns that labelling reads; all if the text is not among them, for its error message."""
    fields = labelling.fields
    text = fields.text_column or "text"
    read = [text, fields.pair_column or PAIR, *labelling.columns]
    if isinstance(fields, EntityFields):
        names = table.column_names
        text, label = (find_name(name, names) or name for name in fields.columns_of(dict.fromkeys(names)))
        read += [text, label]
    # A dotted name is a column of its own, or leads into a column of nested values.
    columns = {
        column for column in table.column_names for name in read if f"{name}.".startswith(f"{column}.")
    }
    if any(f"{text}.".startswith(f"{column}.") for column in columns):
        table = table.select([name for name in table.column_names if name in columns])
    for batch in table.to_batches(max_chunksize=ROWS_PER_PART):
        yield from batch.to_pylist()
