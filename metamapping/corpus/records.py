"""Records: the rows of a source, unchanged and in one format.

Input: a ``Source``. Output: record batches in the source's own order. Every row of the source is a record: a
row that cannot be read carries its fault. The fingerprint of the records covers the bytes of the source's
files and how they are read, but not its role, its readable label names or its license.

    check_sources(home, [source])              # raises before anything runs
    counts = write_records(source, folder)
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from metamapping.config.labels import label_of_number, label_text
from metamapping.config.sources import Source
from metamapping.corpus.columns import NER_COLUMNS
from metamapping.corpus.formats import column_names, read_file, rows_of_batch
from metamapping.corpus.label_lists import label_list_of
from metamapping.corpus.rows import MALFORMED, NOT_ONE_LABEL, Row
from metamapping.corpus.shards import RECORDS, ShardWriter, with_label_lists
from metamapping.corpus.tags import find_scheme, fits, nearest_scheme
from metamapping.corpus.values import MissingError, SeveralError, UnusableError, label_of, text_of, words_of
from metamapping.errors import ConfigError, listed, needs_train_extra
from metamapping.storage.artifacts import Stage, Store
from metamapping.storage.hub_access import check_hub
from metamapping.storage.manifest import fingerprint_file

ROWS_PER_BATCH = 5_000
_CHECKED_ROWS = 100
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
        files = _existing_files(source)
        origin = [[file.name, fingerprint_file(file)] for file in files]
    settings = source.model_dump(include=reading, mode="json")
    if source.columns.label_columns is None:  # as before there was this setting
        del settings["columns"]["label_columns"]
    return Stage("records", source.name, _VERSION, {**settings, "origin": origin})


def _existing_files(source: Source) -> list[Path]:
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


def no_rows(source: Source) -> ConfigError:
    """Return the error for a source without any row.

    Args:
        source: The source.
    """
    files = source.files or []
    place = source.hub.path if source.hub is not None else files[0] if len(files) == 1 else listed(files)
    return ConfigError(f"source {source.name!r}: {place} has no rows: expected at least one")


def check_sources(home: str, sources: Sequence[Source]) -> None:
    """Check that all sources can be read, and report all that cannot.

    Only the first rows of files are read, and nothing is hashed. A data set of the hub, which has to be
    downloaded for that, is skipped if the store has its records.

    Args:
        home: The folder or address of the store.
        sources: The sources to check.

    Raises:
        ConfigError: One sentence for each source that cannot be read, or the hub cannot be reached.
    """
    store = Store(home)
    errors = []
    read = [each for each in sources if each.hub is None or store.find(records_stage(each)) is None]
    check_hub({f"source {each.name!r}": f"datasets/{each.hub.path}" for each in read if each.hub})
    for source in read:
        try:
            check_source(source)
        except ConfigError as error:
            errors.append(str(error))
    if errors:
        raise ConfigError("\n".join(errors))


def check_source(source: Source) -> None:
    """Check that a source can be read, by its columns and first rows.

    Args:
        source: The source.

    Raises:
        ConfigError: The source cannot be read; the message has its name, what was found and the fix.
    """
    _existing_files(source)
    rows = [row for _, row in itertools.islice(_rows(source), _CHECKED_ROWS)]
    if not rows:
        raise no_rows(source)
    good = [row for row in rows if row.fault is None]
    if not good and rows[0].problem is not None and rows[0].fault != MALFORMED:
        raise ConfigError(
            f"source {source.name!r}: none of its first {len(rows)} rows can be used; in the first, "
            f"{rows[0].problem}"
        )
    if not good:
        raise ConfigError(
            f"source {source.name!r}: none of its first {len(rows)} rows can be read (the first is "
            f"{str(rows[0].text)[:80]!r}; {rows[0].problem or rows[0].fault}): check `format`, `delimiter`, "
            "`quotes` and `encoding`"
        )
    text, text_pair, label = column_names(source)
    named_labels = "`label_columns`" if label is None else f"column {label!r}"
    is_single = source.task_type != "ner" and not source.multi_label
    if is_single and all(_label(row.label)[1] for row in good):
        first = _label(good[0].label)[0]
        raise ConfigError(
            f"source {source.name!r}: {named_labels} has no single label in any of the first "
            f"{len(good)} rows (the first is {first!s:.80}): if texts have several labels, add `multi_label: "
            "true`; else write one label in each row, or correct `columns`"
        )
    if source.task_type == "ner":
        _check_tags(source, [tags for row in good if (tags := _tags(row.label))])
    for name, values in (
        (text, [row.text for row in good]),
        (text_pair, [row.text_pair for row in good]),
        (label, [row.label for row in good]),
    ):
        if name is not None and all(value is None for value in values):
            hint = ""
            if source.task_type == "ner":
                hint = f"; {NER_COLUMNS}"
            raise ConfigError(
                f"source {source.name!r}: column {name!r} is empty or missing in all of the first "
                f"{len(good)} rows: correct `columns`{hint}"
            )


def _check_tags(source: Source, rows: list[list[str]]) -> None:
    """Raise ``ConfigError`` if no row has tags that fit the scheme; single rows are rejected later."""
    label_of = label_of_number(source.labels)
    named = [[label_of.get(tag, tag) for tag in tags] for tags in rows]
    scheme = find_scheme(tag for tags in named for tag in tags)
    wrong = [next((tag for tag in tags if not fits(tag, scheme)), None) for tags in named]
    if wrong and None not in wrong:
        raise ConfigError(
            f"source {source.name!r}: none of the first {len(rows)} rows has readable tags; the first has "
            f"{wrong[0]!r:.80}: {nearest_scheme(str(wrong[0]))}; correct the tags, or `columns`"
        )


def _tags(value: Any) -> list[str]:
    try:
        return words_of(value)
    except UnusableError:
        return []


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
        for row in _read_hub(source):
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
        label, fault = _label(row.label)
    return row._replace(text=text, text_pair=pair, label=label, fault=fault)


def _raw(row: Row) -> str | None:
    return None if row.text is None else str(row.text)


def _or_none(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except MissingError:
        return None


def _label(value: Any) -> tuple[str | None, str | None]:
    """A label as text, and its fault; what is not one label is kept as JSON."""
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


def without_surrogates(text: str) -> str:
    """Return a text with its surrogate pairs joined to characters, and lone surrogates replaced.

    Args:
        text: A text that may not be encodable as UTF-8.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def encodable(text: str) -> str:
    r"""Return a text with unpaired surrogates, which JSON can spell (``\ud83d``), joined or replaced.

    Args:
        text: The text; it is unchanged if it has none.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text)
    return text


def _read_hub(source: Source) -> Iterator[Row]:
    with needs_train_extra("reading a data set of the hub"):
        import datasets

    assert source.hub is not None
    hub = source.hub
    try:
        data = datasets.load_dataset(hub.path, hub.config, split=hub.split, revision=hub.revision)
    except Exception as error:  # The hub, the network and loaders raise errors of all kinds.
        raise ConfigError(
            f"source {source.name!r}: the hub's data set {hub.path!r} (config {hub.config}, split "
            f"{hub.split}, revision {hub.revision}) cannot be read: {error}"
        ) from error
    names = class_names(data.features.get(str(column_names(source, data.column_names)[2])))
    for batch in data.with_format("arrow").iter(batch_size=ROWS_PER_BATCH):
        for part in batch.to_batches():
            for row in rows_of_batch(part, source, hub.path):
                yield row if names is None else row._replace(label=label_name(row.label, names))


def class_names(feature: Any) -> list[str] | None:
    """Return the class names of a ``datasets`` column of numbered labels or lists of tags, else ``None``.

    Args:
        feature: A feature of a ``datasets`` column, or ``None``.
    """
    feature = getattr(feature, "feature", feature)
    return getattr(feature, "names", None)


def label_name(value: Any, names: list[str]) -> Any:
    """Return the name of a numbered class, or of each in a list; ``None`` for a number without a name.

    Args:
        value: A class number, or a list of them.
        names: The name of each class, by number.
    """
    if isinstance(value, list):
        return [label_name(item, names) for item in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None
