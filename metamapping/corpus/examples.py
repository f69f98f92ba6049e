"""Examples: records made clean, filtered, and each text once.

In go a source's ``records`` shards, out come its ``examples`` shards and ``rejects.parquet``: every
record is in one of the two, a reject with its reason. The work is done in two passes, one that cleans
and keys the rows, and one that writes them when all duplicates are known; what lies between them, and
what duplicates are found by, lies on disk. ``keys.parquet`` keeps the keys of the examples, by which
leaks into other sources are found later.

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

from metamapping.config.schema import CleaningSpec, DuplicateSpec, FilterSpec, Source
from metamapping.corpus.cleaning import clean_texts, clean_words
from metamapping.corpus.deduplication import KEEP, REASONS, Keys, KeyWriter, find_duplicates, read_keys
from metamapping.corpus.filters import filters_of, find_reasons
from metamapping.corpus.records import OnProgress
from metamapping.corpus.shards import (
    EXAMPLES,
    KEYS,
    REJECTS,
    ParquetFile,
    ShardWriter,
    iterate_shards,
)
from metamapping.corpus.signatures import algorithm
from metamapping.corpus.tags import MalformedTagError, Scheme, entity_type, find_scheme, to_bio
from metamapping.errors import ConfigError
from metamapping.storage.artifacts import Stage

_VERSION = 1

_CLEANED = pa.schema(
    [
        *(field.with_nullable(True) for field in EXAMPLES),
        REJECTS.field("line"),
        REJECTS.field("file"),
        REJECTS.field("reason").with_nullable(True),
    ]
)


class Rules(NamedTuple):
    """How records become examples."""

    cleaning: CleaningSpec
    filters: FilterSpec
    duplicates: DuplicateSpec


def examples_stage(source: Source, rules: Rules, records: str) -> Stage:
    """The identity of a source's examples, from its records' fingerprint."""
    settings = {name: part.model_dump(mode="json") for name, part in rules._asdict().items()}
    for name in ("min_tokens", "max_tokens"):  # what these reject is rejected with the tokens
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
    """Write examples and rejects into ``folder``; returns rows in, out and rejects, by reason too."""
    between = folder / "between"
    between.mkdir()
    num_rows = _write_cleaned(source, rules, records, between, on_progress)
    keys = read_keys(between / "keys", rules.duplicates.num_permutations)
    kept = np.full(num_rows, KEEP, np.int8)
    verdicts = kept if source.keep_all else find_duplicates(keys, num_rows, rules.duplicates)
    reasons = _write(between / "cleaned.arrow", keys, verdicts, folder)
    shutil.rmtree(between)
    rejects = sum(reasons.values())
    if rejects == num_rows:
        why = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
        raise ConfigError(
            f"source {source.name!r}: all of its {num_rows} rows were left out ({why}): check `columns` "
            "and `labels`, or what `filters` asks for"
        )
    counts = {"rows_in": num_rows, "rows_out": num_rows - rejects, "rejects": rejects}
    return counts | {f"rejects.{reason}": number for reason, number in sorted(reasons.items())}


def _write_cleaned(
    source: Source, rules: Rules, records: str | Path, folder: Path, on_progress: OnProgress
) -> int:
    """The first pass: all rows cleaned, with their keys, into ``folder``; returns their number."""
    num_rows = 0
    scheme = _scheme(records, source.labels) if source.task_type == "ner" else "BIO"
    with (
        pa.OSFile(str(folder / "cleaned.arrow"), "wb") as file,
        pa.ipc.new_file(file, _CLEANED) as cleaned,
        KeyWriter(folder / "keys", rules.duplicates) as keys,
    ):
        for batch in iterate_shards(records):
            rows = _clean(batch, source, rules, scheme)
            _add_keys(keys, rows, num_rows)
            cleaned.write(rows)
            num_rows += rows.num_rows
            on_progress(num_rows)
    return num_rows


def _scheme(records: str | Path, labels: list[str] | None) -> Scheme:
    different: set[str] = set()
    for batch in iterate_shards(records, columns=["tags"]):
        different.update(batch["tags"].flatten().unique().to_pylist())
    number = _numbers(labels)
    return find_scheme([number.get(tag, tag) for tag in different])


def _clean(batch: pa.RecordBatch, source: Source, rules: Rules, scheme: Scheme) -> pa.Table:
    """The rows of a batch as ``_CLEANED``: clean, with the reason of those that a filter rejects."""
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
        columns["label"] = _numbered(batch["label"], source.labels)
    rows = pa.table([columns[name] for name in _CLEANED.names], schema=_CLEANED)
    reasons = find_reasons(rows, filters_of(source, rules.filters))
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


def _add_keys(keys: KeyWriter, rows: pa.Table, start: int) -> None:
    """Key the rows that no filter has rejected; their positions count from ``start``."""
    kept = pc.is_null(rows["reason"])
    positions = start + np.flatnonzero(kept.to_numpy())
    keys.add(positions, rows.filter(kept))


def _write(cleaned: Path, keys: Keys, verdicts: np.ndarray, folder: Path) -> Counter[str]:
    """The second pass: examples, their keys, and rejects; returns the number of each reason."""
    reasons: Counter[str] = Counter()
    names = np.array([None, *REASONS], dtype=object)
    start = first_key = 0
    with (
        ShardWriter(folder, EXAMPLES) as examples,
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
            mine = slice(first_key, first_key + rows["reason"].null_count)  # what no filter rejects
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
    """The rows of ``KEYS`` for examples with these keys and, if there are any, signatures."""
    signed: list[bytes | None] = [None] * len(keys)
    if len(signatures):
        pairs = zip(keys["is_signed"], signatures, strict=True)
        signed = [signature.tobytes() if is_signed else None for is_signed, signature in pairs]
    columns = [rows["row"], rows["label"], pa.array(keys["text"]), pa.array(signed, pa.binary())]
    return pa.table(columns, schema=KEYS)
