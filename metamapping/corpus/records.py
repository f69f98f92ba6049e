"""Records: the rows of a source, unchanged and in one format.

Input: a ``Source``. Output: record batches in the source's own order. Every row of the source is a record: a
row that cannot be read carries its fault. The fingerprint of the records covers the bytes of the source's
files and how they are read, but not its role, its readable label names or its license.

    counts = write_records(source, folder)
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from metamapping.config.labels import label_text
from metamapping.config.sources import Source
from metamapping.corpus.formats import read_file
from metamapping.corpus.hub_rows import read_hub
from metamapping.corpus.label_lists import label_list_of
from metamapping.corpus.rows import MALFORMED, NOT_ONE_LABEL, Row, no_rows
from metamapping.corpus.shards import RECORDS, ShardWriter, with_label_lists
from metamapping.corpus.values import (
    MissingError,
    SeveralError,
    UnusableError,
    label_of,
    text_of,
    without_surrogates,
    words_of,
)
from metamapping.errors import ConfigError
from metamapping.storage.artifacts import Stage
from metamapping.storage.manifest import fingerprint_file

ROWS_PER_BATCH = 5_000
_VERSION = 6

# Called with the number of rows done so far.
OnProgress = Callable[[int], None]


def records_stage(source: Source) -> Stage:
    """Return the identity of a source's records: its files' bytes or hub address, and how to read them.

    This reads every byte of the files, which is as slow as reading the source: call it once.

    Args:
        source: The source.

    Raises:
        ConfigError: A file of the source does not exist.
    """
    reading = {"task_type", "format", "encoding", "header", "delimiter", "quotes", "sheet", "columns"}
    if source.multi_label:
        reading |= {"multi_label", "label_separator"}
    if source.hub is not None:
        origin: Any = source.hub.model_dump(mode="json")
    else:
        files = existing_files(source)
        origin = [[file.name, fingerprint_file(file)] for file in files]
    settings = source.model_dump(include=reading, mode="json")
    if source.columns.label_columns is None:  # as before there was this setting
        del settings["columns"]["label_columns"]
    return Stage("records", source.name, _VERSION, {**settings, "origin": origin})


def existing_files(source: Source) -> list[Path]:
    """Return the files of a source.

    Args:
        source: A source of files, or of a data set of the hub, which has none.

    Raises:
        ConfigError: A file does not exist.
    """
    files = [Path(file) for file in source.files or []]
    for file in files:
        if not file.exists():
            raise ConfigError(
                f"source {source.name!r}: the file {file} does not exist on this machine: correct `files`, "
                "or put it there (a run on a server reads the files of its worker's machine or container)"
            )
    return files


def write_records(
    source: Source, folder: Path, *, on_progress: OnProgress = lambda rows: None
) -> dict[str, int]:
    """Write the records of a source as shards.

    Args:
        source: The source.
        folder: An existing folder.
        on_progress: Called with the number of rows written so far, after each batch.

    Returns:
        The counts ``rows_out``, and ``spans_trimmed`` and ``spans_widened`` unless they are 0.

    Raises:
        ConfigError: The source has no rows or cannot be read.
    """
    counts: Counter[str] = Counter()
    with ShardWriter(folder, _schema(source)) as shards:
        for batch in read_records(source, counts):
            shards.write(batch)
            on_progress(shards.num_rows)
    if not shards.num_rows:
        raise no_rows(source)
    return {"rows_out": shards.num_rows, **{name: number for name, number in counts.items() if number}}


def read_records(source: Source, counts: Counter[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the source's records in order, ``ROWS_PER_BATCH`` at a time, with the schema ``RECORDS``.

    Args:
        source: A source of files, or of a data set of the hub.
        counts: Where ``spans_trimmed`` and ``spans_widened`` are counted.

    Raises:
        ConfigError: The rest of a file cannot be read.
    """
    rows = _rows(source)
    for start in itertools.count(0, ROWS_PER_BATCH):
        batch = list(itertools.islice(rows, ROWS_PER_BATCH))
        if not batch:
            return
        if counts is not None:
            counts["spans_trimmed"] += sum(row.num_trimmed for _, row in batch)
            counts["spans_widened"] += sum(row.num_widened for _, row in batch)
        yield _batch(batch, start, source)


def read_rows(source: Source) -> Iterator[Row]:
    """Yield the rows of all files or of the hub's data set, as they are read.

    Args:
        source: A source of files, or of a data set of the hub.

    Raises:
        ConfigError: The rest of a file cannot be read.
    """
    return (row for _, row in _rows(source))


def _rows(source: Source) -> Iterator[tuple[str | None, Row]]:
    """The rows of all files, each with its file's name, or those of the hub's data set."""
    if source.hub is not None:
        for row in read_hub(source):
            yield None, row
    for file in source.files or []:
        path = Path(file)
        name = path.name
        for row in read_file(path, source):
            yield name, row


def _schema(source: Source) -> pa.Schema:
    return with_label_lists(RECORDS) if source.multi_label else RECORDS


def _batch(rows: list[tuple[str | None, Row]], start: int, source: Source) -> pa.RecordBatch:
    """The ``RECORDS`` of rows, each with its file's name, numbered from ``start``."""
    is_ner = source.task_type == "ner"
    texts: list[str | None] = []
    pairs: list[str | None] = []
    labels: list[str | None] = []
    words: list[list[str] | None] = []
    tags: list[list[str] | None] = []
    lists: list[list[str] | None] = []
    faults: list[str | None] = []
    for _, row in rows:
        read = _read(row, source) if row.fault is None else Row(row.line, _raw(row), fault=row.fault)
        has_words = is_ner and read.fault is None
        texts.append(None if has_words else read.text)
        pairs.append(None if is_ner else read.text_pair)
        if source.multi_label:
            lists.append(read.label)
            labels.append(None if read.label is None else labels_as_json(read.label))
        else:
            labels.append(None if is_ner else read.label)
        words.append(read.text if has_words else None)
        tags.append(read.label if has_words else None)
        faults.append(read.fault)
    return pa.record_batch(
        [
            pa.array(range(start, start + len(rows)), pa.int64()),
            pa.array([row.line for _, row in rows], pa.int64()),
            pa.array([file for file, _ in rows], pa.string()),
            _strings(texts),
            _strings(pairs),
            _strings(labels),
            _lists(words),
            _lists(tags),
            pa.array(faults, pa.string()),
            *([_lists(lists)] if source.multi_label else []),
        ],
        schema=_schema(source),
    )


def labels_as_json(labels: Collection[str]) -> str:
    """Return the labels of a text as JSON, in alphabetical order: equal for equal sets of labels.

    Args:
        labels: The labels of one text.
    """
    return json.dumps(sorted(labels), ensure_ascii=False)


def label_list(value: Any, source: Source) -> list[str] | None:
    """Return the labels of a text of a source with ``multi_label``, or ``None`` if they cannot be read.

    Args:
        value: The value of the label's column.
        source: Has the separator of labels.
    """
    try:
        labels = label_list_of(value, source.label_separator)
    except UnusableError:
        return None
    return list(dict.fromkeys(str(label_text(label)) for label in labels))


def _read(row: Row, source: Source) -> Row:
    """A row with its values as texts, or words and tags; with a fault if one of them cannot be read."""
    is_ner = source.task_type == "ner"
    read = words_of if is_ner else text_of
    try:
        text = _or_none(read, row.text)
        pair = None if is_ner else _or_none(text_of, row.text_pair)
        label = _or_none(words_of, row.label) if is_ner else None
    except UnusableError:
        return Row(row.line, _raw(row), fault=MALFORMED)
    fault = None
    if source.multi_label:
        label = label_list(row.label, source)
    elif not is_ner:
        label, fault = single_label(row.label)
    return row._replace(text=text, text_pair=pair, label=label, fault=fault)


def _raw(row: Row) -> str | None:
    return None if row.text is None else str(row.text)


def _or_none(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except MissingError:
        return None


def single_label(value: Any) -> tuple[str | None, str | None]:
    """Return a label as text, and its fault; what is not one label is kept as JSON.

    Args:
        value: The value of the label's column.
    """
    try:
        return label_text(label_of(value)), None
    except SeveralError as error:
        return str(error.__cause__), NOT_ONE_LABEL
    except UnusableError:
        return None, None


def _strings(values: list[str | None]) -> pa.Array:
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:  # JSON may contain half of a surrogate pair (\ud83d alone).
        return pa.array(
            [None if value is None else without_surrogates(value) for value in values], pa.string()
        )


def _lists(values: list[list[str] | None]) -> pa.Array:
    try:
        return pa.array(values, pa.list_(pa.string()))
    except UnicodeEncodeError:
        joined = [None if value is None else [without_surrogates(item) for item in value] for value in values]
        return pa.array(joined, pa.list_(pa.string()))
