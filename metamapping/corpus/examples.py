"""Examples: records made clean, filtered, and each text once.

In go a source's ``records`` shards, out come its ``examples`` shards and ``rejects.parquet``: every
record is in one of the two, a reject with its reason. Records are read twice over: once to clean and
to key them, and once more to write them when all duplicates are known.

    counts = write_examples(source, spec, records_folder, folder)
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metamapping.config import CleaningSpec, Source
from metamapping.corpus.cleaning import clean_texts, clean_words
from metamapping.corpus.deduplication import REASONS, KeyFile, find_duplicates
from metamapping.corpus.filters import filters_of, find_reasons
from metamapping.corpus.shards import EXAMPLES, REJECTS, ParquetFile, ShardWriter, iterate_shards
from metamapping.corpus.sources import Progress
from metamapping.corpus.tags import MalformedTagError, Scheme, entity_type, find_scheme, to_bio
from metamapping.store import Stage

_VERSION = 1

_CLEANED = pa.schema(
    [
        *(field.with_nullable(True) for field in EXAMPLES),
        REJECTS.field("line"),
        REJECTS.field("file"),
        REJECTS.field("reason").with_nullable(True),
    ]
)


def examples_stage(source: Source, spec: CleaningSpec, records: str) -> Stage:
    """The identity of a source's examples, from its records' fingerprint."""
    settings = {
        "cleaning": spec.model_dump(mode="json"),
        "source": source.model_dump(include={"name", "labels", "drop_labels"}, mode="json"),
    }
    return Stage("examples", source.name, _VERSION, settings, [records])


def write_examples(
    source: Source,
    spec: CleaningSpec,
    records: str | Path,
    folder: Path,
    *,
    on_progress: Progress = lambda rows: None,
) -> dict[str, int]:
    """Write examples and rejects into ``folder``; returns rows in, out and rejects, by reason too."""
    cleaned, keys = folder / "cleaned.arrow", KeyFile(folder / "keys")
    num_rows = 0
    scheme = _scheme(records, source.labels) if source.task_type == "ner" else "BIO"
    with pa.OSFile(str(cleaned), "wb") as file, pa.ipc.new_file(file, _CLEANED) as spill:
        for batch in iterate_shards(records):
            rows = _clean(batch, source, spec, scheme)
            _add_keys(keys, rows, num_rows)
            spill.write(rows)
            num_rows += rows.num_rows
            on_progress(num_rows)
    verdicts = find_duplicates(keys.read(), num_rows)
    reasons = _write(cleaned, verdicts, folder)
    cleaned.unlink()
    keys.path.unlink()
    rejects = sum(reasons.values())
    counts = {"rows_in": num_rows, "rows_out": num_rows - rejects, "rejects": rejects}
    return counts | {f"rejects.{reason}": number for reason, number in sorted(reasons.items())}


def _scheme(records: str | Path, labels: list[str] | None) -> Scheme:
    different: set[str] = set()
    for batch in iterate_shards(records, columns=["tags"]):
        different.update(batch["tags"].flatten().unique().to_pylist())
    number = _numbers(labels)
    return find_scheme([number.get(tag, tag) for tag in different])


def _clean(batch: pa.RecordBatch, source: Source, spec: CleaningSpec, scheme: Scheme) -> pa.Table:
    """The rows of a batch as ``_CLEANED``: clean, with the reason of those that a filter rejects."""
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
        columns["label"] = _numbered(batch["label"], source.labels)
    rows = pa.table([columns[name] for name in _CLEANED.names], schema=_CLEANED)
    reasons = find_reasons(rows, filters_of(source, spec))
    return rows.set_column(rows.schema.get_field_index("reason"), "reason", pa.array(reasons, pa.string()))


def _clean_tags(
    batch: pa.RecordBatch, source: Source, spec: CleaningSpec, scheme: Scheme
) -> tuple[pa.Array, pa.Array]:
    """BIO tags of each row, and the reasons of the rows whose tags are no good."""
    all_tags: list[list[str] | None] = []
    reasons: list[str | None] = []
    drop = frozenset(source.drop_labels)
    lengths = batch["words"].value_lengths().to_pylist()
    numbered = _numbered_tags(batch["tags"], source.labels)
    for tags, length, fault in zip(numbered, lengths, batch["fault"].to_pylist(), strict=True):
        reason = None
        if fault is not None:
            tags = None
        elif length is None:
            reason = "missing_text"
        elif tags is None:
            reason = "missing_label"
        elif len(tags) != length:
            reason = "words_and_tags_differ"
        elif source.labels is not None and not _are_known(tags, source.labels):
            reason = "unknown_label"
        else:
            try:
                tags = to_bio(tags, scheme, repair=spec.repair_tags, drop=drop)
            except MalformedTagError:
                reason = "malformed_tags"
        all_tags.append(tags)
        reasons.append(reason)
    return pa.array(all_tags, pa.list_(pa.string())), pa.array(reasons, pa.string())


def _are_known(tags: list[str], labels: list[str]) -> bool:
    return all(tag == "O" or tag in labels or entity_type(tag) in labels for tag in tags)


def _numbers(names: list[str] | None) -> dict[str, str]:
    """What the numbers `0`, `1` … stand for, unless they are labels themselves."""
    return {str(i): name for i, name in enumerate(names or []) if str(i) not in (names or [])}


def _numbered(labels: pa.Array, names: list[str] | None) -> pa.Array:
    number = _numbers(names)
    if not number:
        return labels
    return pa.array([number.get(label, label) for label in labels.to_pylist()], pa.string())


def _numbered_tags(tags: pa.ListArray, names: list[str] | None) -> list[list[str] | None]:
    number = _numbers(names)
    return [row and [number.get(tag, tag) for tag in row] for row in tags.to_pylist()]


def _add_keys(keys: KeyFile, rows: pa.Table, start: int) -> None:
    """Key the rows that no filter has rejected; their positions count from ``start``."""
    kept = pc.is_null(rows["reason"])
    positions = start + np.flatnonzero(kept.to_numpy())
    rows = rows.filter(kept)
    texts = rows["text"]
    if rows["text_pair"].null_count < rows.num_rows:
        texts = pc.binary_join_element_wise(texts, rows["text_pair"], "\x1f")
    labels = pc.coalesce(rows["label"], pc.binary_join(rows["tags"], " "))
    keys.add(positions, texts, labels)


def _write(cleaned: Path, verdicts: np.ndarray, folder: Path) -> Counter[str]:
    """Part the cleaned rows into examples and rejects; returns the number of each reason."""
    reasons: Counter[str] = Counter()
    names = np.array([None, *REASONS.values()], dtype=object)
    start = 0
    with (
        ShardWriter(folder, EXAMPLES) as examples,
        ParquetFile(folder / "rejects.parquet", REJECTS) as rejects,
        pa.memory_map(str(cleaned)) as file,
    ):
        spill = pa.ipc.open_file(file)
        for i in range(spill.num_record_batches):
            rows = pa.Table.from_batches([spill.get_batch(i)])
            verdict = verdicts[start : start + rows.num_rows]
            start += rows.num_rows
            reason = pc.coalesce(rows["reason"], pa.array(names[verdict], pa.string()))
            kept = pc.is_null(reason)
            examples.write(rows.filter(kept))
            rejected = rows.set_column(rows.schema.get_field_index("reason"), "reason", reason)
            rejected = rejected.filter(pc.invert(kept)).select(REJECTS.names).cast(REJECTS)
            if rejected.num_rows:
                rejects.write(rejected)
                reasons.update(rejected["reason"].to_pylist())
    return reasons
