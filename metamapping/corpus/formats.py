"""Formats: reads the rows of source files in CSV, TSV, JSONL, Parquet, CoNLL and .xlsx.

Input: the path of a source file. Output: ``Row``s in the order of the file. A row that cannot be read is a
row with a fault and is never skipped silently. Only faults that make the rest of the file unreadable (a byte
outside the encoding, a quote that is never closed) raise ``ConfigError``, with the place and the fix.

    for row in read_file(Path("reviews.csv.gz"), source):
        print(row.line, row.text, row.label)
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from metamapping.config.files import format_of_suffix
from metamapping.config.sources import Source
from metamapping.corpus.arrow_import import parquet_files, with_arrow_errors
from metamapping.corpus.columns import (
    SETTINGS,
    Header,
    Setting,
    find_name,
    has_name,
    nested_value,
    no_such_column,
    place_of,
)
from metamapping.corpus.conll import read_conll, read_mentions
from metamapping.corpus.delimited import Table, read_delimited
from metamapping.corpus.indicators import indicated_labels
from metamapping.corpus.json_objects import read_objects
from metamapping.corpus.rows import MALFORMED, Row
from metamapping.corpus.span_formats import (
    ANSWER,
    NOT_ACCEPTED,
    answer_problem,
    entity_columns,
    has_spans,
    read_entities,
)
from metamapping.corpus.spans import SpanError
from metamapping.corpus.spreadsheets import read_spreadsheet
from metamapping.corpus.text_files import bad_byte, check_pointer, open_text
from metamapping.corpus.tool_exports import UNANSWERED, is_unanswered
from metamapping.corpus.values import UnusableError
from metamapping.errors import ConfigError, one_line

if TYPE_CHECKING:
    import pyarrow as pa

_PEEKED_ROWS = 100

# The columns of text, second text and label, by name or number; no label's with ``label_columns``.
ColumnNames = tuple[str | int, str | int | None, str | int | None]


def file_format(path: Path, source: Source) -> str:
    """Return the format of a file: what its source declares, else that of its suffix.

    Args:
        path: The file, whose name may end with the suffix of a compression.
        source: The source.

    Raises:
        ConfigError: The source declares no format and the suffix is unknown.
    """
    if source.format is not None:
        return source.format
    known = format_of_suffix(path)
    if known is None:
        raise ConfigError(
            f"source {source.name!r}: the suffix of {path.name!r} does not tell its format: set "
            "`format` (on the command line --format) to csv, tsv, jsonl, parquet, conll or xlsx"
        )
    return known


def read_file(path: Path, source: Source) -> Iterator[Row]:
    """Yield the rows of one file.

    Args:
        path: The file.
        source: How the file is to be read.

    Raises:
        ConfigError: The file cannot be read, or not beyond some place.
    """
    kind = file_format(path, source)
    with _named_errors(path, source, kind):
        if kind == "parquet":
            yield from _read_parquet(path, source)
            return
        if kind == "xlsx":
            yield from _rows_of_table(read_spreadsheet(path, source, path), source, path)
            return
        with open_text(path, source) as file:
            if kind == "conll":
                if source.columns.label_columns is not None:
                    raise ConfigError(
                        f"source {source.name!r}: {path} is CoNLL, which has a tag for each word and no "
                        "`label_columns` (--label-columns): leave them out, or correct `format`"
                    )
                is_ner = source.task_type == "ner"
                yield from (read_conll if is_ner else read_mentions)(file, source, path)
            elif kind == "jsonl":
                yield from _read_jsonl(file, source, path)
            else:
                table = read_delimited(file, source, path, "tsv" if kind == "tsv" else "csv")
                yield from _rows_of_table(table, source, path)


@contextmanager
def _named_errors(path: Path, source: Source, kind: str) -> Iterator[None]:
    """Within the block, every error of a file that cannot be read becomes a ``ConfigError``."""
    try:
        yield
    except ConfigError:
        raise
    except UnicodeError as error:
        if kind != "parquet" and isinstance(error, UnicodeDecodeError):
            raise ConfigError(bad_byte(path, source)) from error
        raise _unreadable(path, source, kind, error) from error
    except with_arrow_errors(OSError, ValueError, LookupError, ArithmeticError, EOFError) as error:
        # Besides Arrow's own errors these are raised for values that Python cannot represent, such as the
        # year 200,000.
        raise _unreadable(path, source, kind, error) from error


def _unreadable(path: Path, source: Source, kind: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"source {source.name!r}: {path} is not a readable {kind} file ({type(error).__name__}: "
        f"{one_line(error)}): write it again, or set `format` (on the command line --format) to the format "
        "of the file"
    )


def names_of_columns(path: Path, source: Source) -> list[str]:
    """Return the names of a file's columns; for JSON those of the first object, and none without a header.

    Args:
        path: The file.
        source: How the file is to be read.

    Raises:
        ConfigError: The file cannot be read.
    """
    kind = file_format(path, source)
    if kind == "conll":
        return []
    with _named_errors(path, source, kind):
        if kind == "parquet":
            check_pointer(path, source)
            with parquet_files().open_parquet(path, source, path) as file:
                return list(file.schema.names)
        if kind == "xlsx":
            return read_spreadsheet(path, source, path).header or []
        with open_text(path, source) as file:
            if kind != "jsonl":
                return read_delimited(file, source, path, "tsv" if kind == "tsv" else "csv").header or []
            return list(next((row.value for row in read_objects(file, source, path) if row.value), {}))


def _rows_of_table(table: Table, source: Source, path: Path) -> Iterator[Row]:
    width = len(table.header) if table.header else 0
    places: list[int | None] | None = None
    label_columns = source.columns.label_columns or []
    label_places: list[int] = []
    answer_place = table.header.index(ANSWER) if table.header and ANSWER in table.header else None
    if table.header:
        names = column_names(source, table.header)
        header = Header(table.header, str(path), table.delimiter, is_table=True)
        places = _places(names, header, source)
        label_places = [place_of(name, "label_columns", header, source) for name in label_columns]
    else:
        names = column_names(source)
    for line, fields in table.rows:
        if isinstance(fields, list):
            width = width or len(fields)
        if (problem := table.problem(line, fields, width)) is not None or isinstance(fields, csv.Error):
            yield Row(line, text=_raw(fields, table), fault=MALFORMED, problem=problem)
            continue
        if places is None:
            places = _places(names, Header(width, str(path), table.delimiter, is_table=True), source)
        text, text_pair, label = (None if place is None else fields[place] for place in places)
        answer = None if answer_place is None else fields[answer_place]
        row = Row(line, text, text_pair, label)
        if label_places:
            row = _with_indicated(row, zip(label_columns, (fields[i] for i in label_places), strict=True))
        yield tagged_row(row, source, names[2], answer=answer)


def _raw(fields: list[Any] | csv.Error, table: Table) -> str:
    if isinstance(fields, csv.Error):
        return f"{fields}"
    return (table.delimiter or "\t").join(map(str, fields))


def tagged_row(row: Row, source: Source, label: str | int | None, *, answer: Any = None) -> Row:
    """Return a row with words and tags if it is a ``ner`` text with spans, and unchanged otherwise.

    A row that Prodigy's annotator has rejected or ignored is one with a fault.

    Args:
        row: The row as it was read.
        source: The source.
        label: The column of its label.
        answer: What Prodigy says about the row, such as `reject`.
    """
    if row.fault is not None:
        return row
    if source.task_type != "ner":
        # A column of labels or texts may have the same name, and the same values.
        is_own = ANSWER in (label, source.columns.text, source.columns.text_pair)
        problem = None if is_own else answer_problem({ANSWER: answer})
        return row if problem is None else _faulty(row, NOT_ACCEPTED, problem)
    if not has_spans(row.text, row.label, label if source.columns.label is None else None):
        return row
    if problem := answer_problem({ANSWER: answer}):
        return _faulty(row, NOT_ACCEPTED, problem)
    try:
        aligned = read_entities(row.text, row.label, label)
    except SpanError as error:
        return _faulty(row, error.reason, str(error))
    return row._replace(
        text=aligned.words,
        label=aligned.tags,
        num_trimmed=aligned.num_trimmed,
        num_widened=len(aligned.widened),
    )


def _with_indicated(row: Row, values: Iterable[tuple[str, Any]]) -> Row:
    """A row with the labels whose columns are 1; one with a fault if a column is neither 0 nor 1."""
    try:
        return row._replace(label=indicated_labels(values))
    except UnusableError as error:
        place = "the label" if row.line is None else f"line {row.line}: the label"
        return _faulty(row, MALFORMED, f"{place} {error}")


def _faulty(row: Row, fault: str, problem: str) -> Row:
    text = " ".join(map(str, row.text)) if isinstance(row.text, list | tuple) else str(row.text or "")
    return Row(row.line, text, fault=fault, problem=problem)


def column_names(source: Source, existing: Collection[str] = ()) -> ColumnNames:
    """Return the columns of text, second text and label, with defaults for those not configured.

    Args:
        source: The source.
        existing: The names of all columns, from which the defaults of ``ner`` follow.

    Returns:
        Names, or numbers in files without a header. The second text has no default and may be ``None``.
    """
    is_ner = source.task_type == "ner"
    named = source.header and source.format != "conll"
    text = source.columns.text
    label = source.columns.label
    if named and is_ner:
        default = entity_columns(
            existing, None if text is None else str(text), None if label is None else str(label)
        )
    else:
        default = ("text", "label")
        if source.multi_label and find_name("label", existing) is None and find_name("labels", existing):
            default = ("text", "labels")
    if text is None:
        text = default[0] if named else 0
    if label is None and source.columns.label_columns is None:
        label = default[1] if named else -1
    return text, source.columns.text_pair, label


def _places(names: ColumnNames, header: Header, source: Source) -> list[int | None]:
    return [
        None if name is None else place_of(name, setting, header, source)
        for setting, name in zip(SETTINGS, names, strict=True)
    ]


def _read_jsonl(file: TextIO, source: Source, path: Path) -> Iterator[Row]:
    rows = read_objects(file, source, path)
    first = list(itertools.islice(rows, _PEEKED_ROWS))
    check_names([row.value for row in first if row.value is not None], source, str(path))
    for row in itertools.chain(first, rows):
        if row.value is None:
            yield Row(row.line, text=row.raw, fault=MALFORMED, problem=row.problem)
            continue
        text, text_pair, label = map(_as_name, column_names(source, row.value))
        read = Row(
            row.line,
            nested_value(row.value, str(text)),
            None if text_pair is None else nested_value(row.value, text_pair),
            None if label is None else nested_value(row.value, label),
        )
        if source.columns.label_columns:
            indicators = [(name, nested_value(row.value, name)) for name in source.columns.label_columns]
            yield tagged_row(_with_indicated(read, indicators), source, label, answer=row.value.get(ANSWER))
            continue
        if source.task_type != "ner" and read.label is None and is_unanswered(row.value):
            yield read._replace(fault=NOT_ACCEPTED, problem=f"line {row.line}: {UNANSWERED}")
            continue
        yield tagged_row(read, source, label, answer=row.value.get(ANSWER))


def _as_name(name: str | int | None) -> str | None:
    return None if name is None else str(name)


def check_names(objects: list[dict[str, Any]], source: Source, place: str) -> None:
    """Check that the columns of a source are among the names of the first JSON objects.

    Args:
        objects: The first objects of a file.
        source: The source.
        place: The file, for error messages.

    Raises:
        ConfigError: No object has one of the names.
    """
    # The columns of spans depend on the object, such as those of different tools.
    named = [(each, column_names(source, each)) for each in objects]
    for name in (source.columns.label_columns or []) if objects else []:
        if not any(has_name(each, name) for each in objects):
            raise no_such_column(name, "label_columns", Header(list(objects[0]), place), source)
    for number, setting in enumerate(SETTINGS):
        if not named or named[0][1][number] is None:
            continue
        if not any(has_name(each, str(names[number])) for each, names in named):
            raise no_such_column(
                cast(str | int, named[0][1][number]), setting, Header(list(objects[0]), place), source
            )


def _read_parquet(path: Path, source: Source) -> Iterator[Row]:
    check_pointer(path, source)
    with parquet_files().open_parquet(path, source, path) as file:
        for batch in file.batches(_top_level(file.schema, source, path)):
            yield from rows_of_batch(batch, source, path)


def rows_of_batch(batch: pa.RecordBatch, source: Source, place: Path | str) -> Iterator[Row]:
    """Yield the rows of an Arrow batch.

    Args:
        batch: The batch.
        source: Which columns to read; a dotted name is a field of a struct.
        place: The file or data set, for error messages.

    Raises:
        ConfigError: A column is missing.
    """
    columns: list[list[Any]] = []
    existing = batch.schema.names
    names = column_names(source, existing)
    for setting, name in zip(SETTINGS, names, strict=True):
        if name is None:
            columns.append([None] * batch.num_rows)
        else:
            columns.append(_values_of(batch, name, setting, source, place))
    label_columns = source.columns.label_columns
    if label_columns is not None:
        indicators = [_values_of(batch, name, "label_columns", source, place) for name in label_columns]
        columns[SETTINGS.index("label")] = [
            tuple(zip(label_columns, values, strict=True)) for values in zip(*indicators, strict=True)
        ]
    has_answers = existing.count(ANSWER) == 1
    columns.append(batch.column(ANSWER).to_pylist() if has_answers else [None] * batch.num_rows)
    for text, text_pair, label, answer in zip(*columns, strict=True):
        row = Row(None, text, text_pair, label)
        if label_columns is not None:
            row = _with_indicated(row, label)
        yield tagged_row(row, source, names[2], answer=answer)


def _values_of(
    batch: pa.RecordBatch, name: str | int, setting: Setting, source: Source, place: Path | str
) -> list[Any]:
    """The values of a column of a batch, or of a field of a struct."""
    existing = batch.schema.names
    if isinstance(name, str) and find_name(name, existing) is None and name.split(".")[0] in existing:
        top, _, rest = name.partition(".")
        return [nested_value(value, rest) for value in batch.column(top).to_pylist()]
    values: list[Any] = batch.column(
        place_of(name, setting, Header(existing, str(place)), source)
    ).to_pylist()
    return values


def _top_level(schema: pa.Schema, source: Source, path: Path) -> list[str] | None:
    """The columns to read; ``None`` for all, where one is missing."""
    names, header = schema.names, Header(schema.names, str(path))
    wanted = []
    named: list[tuple[Setting, str | int | None]] = [
        *zip(SETTINGS, column_names(source, names), strict=True),
        *(("label_columns", each) for each in source.columns.label_columns or ()),
    ]
    for setting, name in named:
        if isinstance(name, int) or (name is not None and find_name(name, names) is not None):
            wanted.append(names[place_of(name, setting, header, source)])
        elif name is not None:
            wanted.append(name.split(".")[0])
    wanted = list(dict.fromkeys(wanted))
    if ANSWER in names and ANSWER not in wanted:
        wanted.append(ANSWER)
    is_known = set(wanted) <= set(names) and all(names.count(name) == 1 for name in wanted)
    return wanted if is_known else None
