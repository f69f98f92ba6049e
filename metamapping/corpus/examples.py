"""Examples: cleans, filters and deduplicates the records of a source.

Input: a source's ``records`` shards. Output: its ``examples`` shards and ``rejects.parquet``. Every record is
in one of the two, and each reject has a reason. The first of two passes cleans the rows and computes their
keys; the second writes them once all duplicates are known. Cleaned rows and keys are stored on disk in
between. ``keys.parquet`` has the keys of the examples, which are needed to find leaks into other sources.

    counts = write_examples(source, rules, records_folder, folder)
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metamapping.config.corpus import CleaningSpec, DuplicateSpec, FilterSpec
from metamapping.config.labels import label_of_number
from metamapping.config.sources import Source
from metamapping.corpus.column_cleaning import clean_texts, clean_words
from metamapping.corpus.deduplication import KEEP, REASONS, Keys, KeyWriter, find_duplicates, read_keys
from metamapping.corpus.filters import filters_of, find_reasons
from metamapping.corpus.label_counts import check_label_settings
from metamapping.corpus.records import OnProgress, labels_as_json
from metamapping.corpus.rows import MALFORMED_TAGS
from metamapping.corpus.shards import (
    EXAMPLES,
    KEYS,
    LABELS,
    REJECTS,
    ParquetFile,
    ShardWriter,
    iterate_shards,
    schema_as_in,
)
from metamapping.corpus.signatures import algorithm
from metamapping.corpus.tags import MalformedTagError, Scheme, entity_type, entity_types, find_scheme, to_bio
from metamapping.errors import ConfigError
from metamapping.storage.artifacts import Stage, read_reference

_VERSION = 2

# The counts of the records that the report of a corpus shows.
SPAN_COUNTS = ("spans_trimmed", "spans_widened")


def _cleaned_schema(examples: pa.Schema) -> pa.Schema:
    """The schema of cleaned rows, some of which become examples."""
    return pa.schema(
        [
            *(field.with_nullable(True) for field in examples),
            REJECTS.field("line"),
            REJECTS.field("file"),
            REJECTS.field("reason").with_nullable(True),
        ]
    )


class Rules(NamedTuple):
    """The configuration by which records become examples."""

    cleaning: CleaningSpec
    filters: FilterSpec
    duplicates: DuplicateSpec


def examples_stage(source: Source, rules: Rules, records: str) -> Stage:
    """Return the identity of a source's examples.

    Args:
        source: The source.
        rules: How its records become examples.
        records: The fingerprint of its records.
    """
    settings = {name: part.model_dump(mode="json") for name, part in rules._asdict().items()}
    for name in ("min_tokens", "max_tokens"):  # These filters are applied when texts are tokenized.
        del settings["filters"][name]
    if rules.duplicates.near:
        settings["signatures"] = algorithm()
    settings["source"] = source.model_dump(include={"name", "labels", "drop_labels", "keep_all"}, mode="json")
    return Stage("examples", source.name, _VERSION, settings, [records])


def write_examples(
    source: Source,
    rules: Rules,
    records: str | Path,
    folder: Path,
    *,
    on_progress: OnProgress = lambda rows: None,
) -> dict[str, int]:
    """Write the examples, their keys and the rejects of a source.

    Args:
        source: The source.
        rules: How records become examples.
        records: The folder of the source's records.
        folder: An existing folder.
        on_progress: Called with the number of rows cleaned so far, after each batch.

    Returns:
        The counts ``rows_in``, ``rows_out``, ``rejects``, and ``rejects.<reason>`` for each reason; and of
        the records ``spans_trimmed`` and ``spans_widened``, if there are any.

    Raises:
        ConfigError: All rows are rejected, or a setting names a label that the source does not have.
    """
    between = folder / "between"
    between.mkdir()
    num_rows = _write_cleaned(source, rules, records, between, on_progress)
    keys = read_keys(between / "keys", rules.duplicates.num_permutations)
    kept = np.full(num_rows, KEEP, np.int8)
    verdicts = kept if source.keep_all else find_duplicates(keys, num_rows, rules.duplicates)
    schema = schema_as_in(records, EXAMPLES)
    reasons = _write(between / "cleaned.arrow", keys, verdicts, folder, schema)
    shutil.rmtree(between)
    rejects = sum(reasons.values())
    if rejects == num_rows:
        why = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
        raise ConfigError(
            f"source {source.name!r}: all of its {num_rows} rows were rejected ({why}): check `columns` "
            "and `labels`, or the limits in `filters`"
        )
    counts = {"rows_in": num_rows, "rows_out": num_rows - rejects, "rejects": rejects}
    counts |= {f"rejects.{reason}": number for reason, number in sorted(reasons.items())}
    read = read_reference(Path(records))
    changed = {} if read is None else {name: read.counts.get(name, 0) for name in SPAN_COUNTS}
    return counts | {name: number for name, number in changed.items() if number}


def _write_cleaned(
    source: Source, rules: Rules, records: str | Path, folder: Path, on_progress: OnProgress
) -> int:
    """The first pass: write all rows, cleaned, and their keys; returns the number of rows."""
    num_rows = 0
    present: set[str] = set()
    scheme = _scheme(records, source.labels) if source.task_type == "ner" else "BIO"
    schema = _cleaned_schema(schema_as_in(records, EXAMPLES))
    with (
        pa.OSFile(str(folder / "cleaned.arrow"), "wb") as file,
        pa.ipc.new_file(file, schema) as cleaned,
        KeyWriter(folder / "keys", rules.duplicates) as keys,
    ):
        for batch in iterate_shards(records):
            rows = _clean(batch, source, rules, scheme, schema)
            _add_keys(keys, rows, num_rows)
            cleaned.write(rows)
            present |= _labels_of(batch, source, scheme)
            num_rows += rows.num_rows
            on_progress(num_rows)
    check_label_settings(source, present)
    return num_rows


def _labels_of(batch: pa.RecordBatch, source: Source, scheme: Scheme) -> set[str]:
    """The labels of the readable rows of a batch, or the entity types of ``ner``; numbers are named."""
    if source.task_type == "ner" or source.multi_label:  # faulty rows have none
        column = batch["labels" if source.multi_label else "tags"].flatten()
    else:
        column = batch["label"].filter(pc.is_null(batch["fault"]))
    label_of = label_of_number(source.labels)
    labels = {label_of.get(label, label) for label in column.unique().to_pylist() if label is not None}
    return entity_types(labels, scheme) if source.task_type == "ner" else labels


def _scheme(records: str | Path, labels: list[str] | None) -> Scheme:
    different: set[str] = set()
    for batch in iterate_shards(records, columns=["tags"]):
        different.update(batch["tags"].flatten().unique().to_pylist())
    label_of = label_of_number(labels)
    return find_scheme([label_of.get(tag, tag) for tag in different])


def _clean(
    batch: pa.RecordBatch, source: Source, rules: Rules, scheme: Scheme, schema: pa.Schema
) -> pa.Table:
    """The cleaned rows of a batch, with the reasons of those that a filter rejects."""
    spec = rules.cleaning
    columns = {name: batch[name] for name in batch.schema.names}
    columns["source"] = pa.array([source.name] * batch.num_rows, pa.string())
    columns["reason"] = batch["fault"]
    if source.task_type == "ner":
        tags, reasons = _clean_tags(batch, source, spec, scheme)
        columns["words"] = clean_words(batch["words"], spec.cleaners)
        columns["text"] = pc.coalesce(pc.binary_join(columns["words"], " "), batch["text"])
        columns["tags"] = tags
        columns["reason"] = pc.coalesce(batch["fault"], reasons)
    else:
        columns["text"] = clean_texts(batch["text"], spec.cleaners)
        columns["text_pair"] = clean_texts(batch["text_pair"], spec.cleaners)
        if source.multi_label:
            columns["labels"] = _named_lists(batch[LABELS.name], source)
            columns["label"] = _lists_as_json(columns["labels"])
        else:
            columns["label"] = _named_labels(batch["label"], source.labels)
    rows = pa.table([columns[name] for name in schema.names], schema=schema)
    reasons = find_reasons(rows, filters_of(source, rules.filters))
    return rows.set_column(rows.schema.get_field_index("reason"), "reason", pa.array(reasons, pa.string()))


def _clean_tags(
    batch: pa.RecordBatch, source: Source, spec: CleaningSpec, scheme: Scheme
) -> tuple[pa.Array, pa.Array]:
    """The BIO tags of each row, and the reasons of the rows whose tags are missing or wrong."""
    all_tags: list[list[str] | None] = []
    reasons: list[str | None] = []
    drop = frozenset(source.drop_labels)
    lengths = batch["words"].value_lengths().to_pylist()
    named_tags = _named_tags(batch["tags"], source.labels)
    for tags, length, fault in zip(named_tags, lengths, batch["fault"].to_pylist(), strict=True):
        reason = None
        if fault is not None:
            tags = None
        elif length is None:
            reason = "missing_text"
        elif tags is None:
            reason = "missing_label"
        elif len(tags) != length:
            reason = "words_and_tags_differ"
        elif source.labels is not None and not _are_known(tags, source.labels, scheme):
            reason = "unknown_label"
        else:
            try:
                tags = to_bio(tags, scheme, repair=spec.repair_tags, drop=drop)
            except MalformedTagError:
                reason = MALFORMED_TAGS
        all_tags.append(tags)
        reasons.append(reason)
    return pa.array(all_tags, pa.list_(pa.string())), pa.array(reasons, pa.string())


def _are_known(tags: list[str], labels: list[str], scheme: Scheme) -> bool:
    return all(tag == "O" or tag in labels or entity_type(tag, scheme) in labels for tag in tags)


def _named_labels(labels: pa.Array, names: list[str] | None) -> pa.Array:
    label_of = label_of_number(names)
    if not label_of:
        return labels
    return pa.array([label_of.get(label, label) for label in labels.to_pylist()], pa.string())


def _named_lists(lists: pa.ListArray, source: Source) -> pa.Array:
    """The labels of each text by name and in alphabetical order, without those that are dropped."""
    label_of, dropped = label_of_number(source.labels), set(source.drop_labels)
    named = [
        None if row is None else sorted({label_of.get(label, label) for label in row} - dropped)
        for row in lists.to_pylist()
    ]
    return pa.array(named, LABELS.type)


def _lists_as_json(lists: pa.ListArray) -> pa.Array:
    return pa.array([None if row is None else labels_as_json(row) for row in lists.to_pylist()], pa.string())


def _named_tags(tags: pa.ListArray, names: list[str] | None) -> list[list[str] | None]:
    label_of = label_of_number(names)
    return [row and [label_of.get(tag, tag) for tag in row] for row in tags.to_pylist()]


def _add_keys(keys: KeyWriter, rows: pa.Table, start: int) -> None:
    """Add the keys of the rows that no filter has rejected; their positions count from ``start``."""
    kept = pc.is_null(rows["reason"])
    positions = start + np.flatnonzero(kept.to_numpy())
    keys.add(positions, rows.filter(kept))


def _write(cleaned: Path, keys: Keys, verdicts: np.ndarray, folder: Path, schema: pa.Schema) -> Counter[str]:
    """The second pass: write examples, keys and rejects; returns the number of rows for each reason."""
    reasons: Counter[str] = Counter()
    names = np.array([None, *REASONS], dtype=object)
    start = first_key = 0
    with (
        ShardWriter(folder, schema) as examples,
        ParquetFile(folder / "keys.parquet", KEYS) as kept_keys,
        ParquetFile(folder / "rejects.parquet", REJECTS) as rejects,
        pa.memory_map(str(cleaned)) as file,
    ):
        spill = pa.ipc.open_file(file)
        for i in range(spill.num_record_batches):
            rows = pa.Table.from_batches([spill.get_batch(i)])
            verdict = verdicts[start : start + rows.num_rows]
            reason = pc.coalesce(rows["reason"], pa.array(names[verdict], pa.string()))
            kept = pc.is_null(reason)
            examples.write(rows.filter(kept))
            mine = slice(first_key, first_key + rows["reason"].null_count)  # the rows that no filter rejected
            stays = verdicts[keys.rows["position"][mine]] == KEEP
            signatures = keys.signatures[mine][stays] if len(keys.signatures) else keys.signatures
            kept_keys.write(_keys_of(rows.filter(kept), keys.rows[mine][stays], signatures))
            start, first_key = start + rows.num_rows, mine.stop
            rejected = rows.set_column(rows.schema.get_field_index("reason"), "reason", reason)
            rejected = rejected.filter(pc.invert(kept)).select(REJECTS.names).cast(REJECTS)
            if rejected.num_rows:
                rejects.write(rejected)
                reasons.update(rejected["reason"].to_pylist())
    return reasons


def _keys_of(rows: pa.Table, keys: np.ndarray, signatures: np.ndarray) -> pa.Table:
    """The ``KEYS`` of examples; there may be no signatures at all."""
    signed: list[bytes | None] = [None] * len(keys)
    if len(signatures):
        pairs = zip(keys["is_signed"], signatures, strict=True)
        signed = [signature.tobytes() if is_signed else None for is_signed, signature in pairs]
    columns = [rows["row"], rows["label"], pa.array(keys["text"]), pa.array(signed, pa.binary())]
    return pa.table(columns, schema=KEYS)
