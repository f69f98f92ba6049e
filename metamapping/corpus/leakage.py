"""Leakage: finds texts that are trained on and also held out.

Input: the ``keys.parquet`` of all sources' examples. Output: ``leaks.parquet`` with one row for each text
that has to be removed. A train text that also occurs in a validation or test source, exactly or nearly, is a
leak, and so is a validation text that occurs in a test source: it is removed from the lower role, so that
nothing a model is measured on was seen before. A source that is split by labels can leak into itself. The
keys of held-out texts, some 0.8 KB for each text, are sorted in files and mapped into memory; the others are
streamed.

    counts = write_leaks(sources, examples_folders, spec, duplicates, folder)
    leaks = read_leaks(folder, "reviews")         # a table of row, against, kind
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from metamapping.config.corpus import DuplicateSpec, LeakageSpec
from metamapping.config.sources import ROLES, Role, Source
from metamapping.corpus.shards import ParquetFile
from metamapping.corpus.signatures import band_keys, num_bands, similarity
from metamapping.errors import ConfigError
from metamapping.storage.artifacts import Stage
from metamapping.storage.flat_arrays import append_array, map_array

LEAKS = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("against", pa.string(), nullable=False),  # the source in which the text is held out
        pa.field("kind", pa.string(), nullable=False),  # exact or near
    ]
)

_VERSION = 1
_HELD_OUT_ROLES: tuple[Role, ...] = ("validation", "test")
_ROWS_PER_BATCH = 20_000
# Held-out texts that one text is compared with in one band. More share a band only if they are nearly equal.
_MAX_CANDIDATES = 64


def leaks_stage(
    sources: list[Source], examples: list[str], spec: LeakageSpec, duplicates: DuplicateSpec
) -> Stage:
    """Return the identity of a corpus's leaks.

    Args:
        sources: All sources, of which the roles count.
        examples: The fingerprint of each source's examples.
        spec: Whether leaks are searched for.
        duplicates: When texts count as nearly equal.
    """
    settings = {
        "check": spec.check,
        "duplicates": duplicates.model_dump(mode="json"),
        "roles": [[source.name, source.role, source.label_roles] for source in sources],
    }
    return Stage("leaks", "corpus", _VERSION, settings, examples)


def write_leaks(
    sources: list[Source],
    examples: Sequence[str | Path],
    spec: LeakageSpec,
    duplicates: DuplicateSpec,
    folder: Path,
) -> dict[str, int]:
    """Find the leaks of a corpus and write ``leaks.parquet``.

    Args:
        sources: All sources.
        examples: The folder of each source's examples.
        spec: Whether leaks are searched for.
        duplicates: When texts count as nearly equal.
        folder: An existing folder.

    Returns:
        The count ``leaks``, and ``leaks.<name>`` for each source that has any.

    Raises:
        ConfigError: All texts of a source leak.
    """
    counts: Counter[str] = Counter()
    empty: list[str] = []
    scratch = folder / "held-out"
    with ParquetFile(folder / "leaks.parquet", LEAKS) as leaks:
        if spec.check:
            held_out: dict[str, _HeldOut] = {}
            for role in _HELD_OUT_ROLES:
                (scratch / role).mkdir(parents=True)
                held_out[role] = _index(sources, examples, role, duplicates, scratch / role)
            for source, path in zip(sources, examples, strict=True):
                against: Counter[str] = Counter()
                for found in _leaks_of(source, path, held_out, duplicates):
                    leaks.write(found)
                    against.update(found["against"].to_pylist())
                if against and against.total() == pq.read_metadata(Path(path) / "keys.parquet").num_rows:
                    empty.append(f"{source.name!r} (into {', '.join(sorted(against))})")
                if against:
                    counts[f"leaks.{source.name}"] = against.total()
    shutil.rmtree(scratch, ignore_errors=True)
    if empty:
        raise ConfigError(
            f"all examples of {', '.join(empty)} also occur in held-out sources, so nothing of "
            f"{'it' if len(empty) == 1 else 'them'} is left to use: remove one of the two sources, or "
            "give both the same role"
        )
    return {"leaks": sum(counts.values()), **counts}


def read_leaks(folder: str | Path, source: str) -> pa.Table:
    """Return the leaks of one source in the order of its rows, with the schema ``LEAKS``.

    Args:
        folder: The folder of the leaks.
        source: The name of the source.
    """
    return pq.read_table(Path(folder) / "leaks.parquet", filters=[("source", "==", source)])


class _HeldOut(NamedTuple):
    """An index of the texts that are held out in one role.

    ``origin[i]``: the number of the source of text ``i``.
    ``exact`` and ``bands``: keys in ascending order, and the number of the text with each key.
    """

    names: list[str]
    origin: np.ndarray
    signatures: np.ndarray
    exact: tuple[np.ndarray, np.ndarray]
    bands: list[tuple[np.ndarray, np.ndarray]]


def _index(
    sources: list[Source], examples: Sequence[str | Path], role: Role, spec: DuplicateSpec, folder: Path
) -> _HeldOut:
    """The index of the texts that are held out in a role; its files are written into an empty folder."""
    bands = num_bands(spec.threshold, spec.num_permutations) if spec.near else 0
    num_texts = 0
    for number, (source, path) in enumerate(zip(sources, examples, strict=True)):
        if role not in source.roles:
            continue
        for batch in _keys(path):
            mine = batch.filter(pa.array(_roles_of(batch, source) == ROLES.index(role)))
            append_array(folder / "text-keys", mine["text_key"].to_numpy())
            append_array(folder / "origin", np.full(mine.num_rows, number))
            if spec.near:
                values, is_signed = _signatures(mine, spec)
                append_array(folder / "signatures", values)
                append_array(folder / "signed", num_texts + np.flatnonzero(is_signed))
                for band, keys in enumerate(band_keys(values[is_signed], bands)):
                    append_array(folder / f"band-{band}", keys)
            num_texts += mine.num_rows
    rows = map_array(folder / "signed", np.int64)
    return _HeldOut(
        [source.name for source in sources],
        map_array(folder / "origin", np.int64),
        map_array(folder / "signatures", np.uint32).reshape(-1, spec.num_permutations),
        _sorted(folder / "text-keys", np.arange(num_texts)),
        [_sorted(folder / f"band-{band}", rows) for band in range(bands)],
    )


def _leaks_of(
    source: Source, path: str | Path, held_out: dict[str, _HeldOut], spec: DuplicateSpec
) -> Iterator[pa.Table]:
    """The leaks of one source, batch by batch, as rows of ``LEAKS``."""
    if not source.roles & {"train", "validation"}:
        return
    for batch in _keys(path):
        roles = _roles_of(batch, source)
        hit = np.full(batch.num_rows, -1)  # the number of the source into which each row leaks
        exact = np.zeros(batch.num_rows, bool)
        signatures, is_signed = _signatures(batch, spec) if spec.near else (None, None)
        for role, texts in held_out.items():
            is_lower = (roles >= 0) & (roles < ROLES.index(role))
            rows = np.flatnonzero(is_lower & (hit < 0))
            found = _find_exact(batch["text_key"].to_numpy()[rows], texts)
            hit[rows], exact[rows] = found, found >= 0
            if signatures is not None and is_signed is not None:
                rows = np.flatnonzero(is_lower & (hit < 0) & is_signed)
                hit[rows] = _find_near(signatures[rows], texts, spec.threshold)
        leaked = np.flatnonzero(hit >= 0)
        if len(leaked):
            yield pa.table(
                {
                    "source": pa.repeat(source.name, len(leaked)),
                    "row": batch["row"].take(pa.array(leaked)),
                    "against": pa.array(np.array(held_out["test"].names, dtype=object)[hit[leaked]]),
                    "kind": pa.array(np.where(exact[leaked], "exact", "near").astype(object)),
                },
                schema=LEAKS,
            )


def _find_exact(keys: np.ndarray, texts: _HeldOut) -> np.ndarray:
    """The number of the first source with an equal text for each key, or -1."""
    found = np.full(len(keys), -1)
    values, rows = texts.exact
    if len(values):
        places = np.minimum(np.searchsorted(values, keys), len(values) - 1)
        same = values[places] == keys
        found[same] = texts.origin[rows[places[same]]]
    return found


def _find_near(signatures: np.ndarray, texts: _HeldOut, threshold: float) -> np.ndarray:
    """The number of the first source with a nearly equal text for each signature, or -1."""
    found = np.full(len(signatures), len(texts.names))
    for keys, (values, rows) in zip(band_keys(signatures, len(texts.bands)), texts.bands, strict=True):
        first = np.searchsorted(values, keys, side="left")
        count = np.minimum(np.searchsorted(values, keys, side="right") - first, _MAX_CANDIDATES)
        mine = np.repeat(np.arange(len(keys)), count)
        nth = np.arange(len(mine)) - np.repeat(np.cumsum(count) - count, count)
        pairs = np.stack([mine, rows[np.repeat(first, count) + nth]], axis=1)
        pairs = pairs[similarity(signatures, texts.signatures, pairs) >= threshold]
        np.minimum.at(found, pairs[:, 0], texts.origin[pairs[:, 1]])
    return np.where(found < len(texts.names), found, -1)


def _keys(path: str | Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(Path(path) / "keys.parquet") as file:
        yield from file.iter_batches(batch_size=_ROWS_PER_BATCH)


def _roles_of(batch: pa.RecordBatch, source: Source) -> np.ndarray:
    """The index in ``ROLES`` of each row's role, or -1 for labels without a role."""
    if source.role is not None:
        return np.full(batch.num_rows, ROLES.index(source.role))
    roles = np.full(batch.num_rows, -1)
    for role, labels in (source.label_roles or {}).items():
        mine = pc.is_in(batch["label"], value_set=pa.array(list(labels), pa.string()))
        roles[mine.to_numpy(zero_copy_only=False)] = ROLES.index(role)
    return roles


def _signatures(batch: pa.RecordBatch, spec: DuplicateSpec) -> tuple[np.ndarray, np.ndarray]:
    """The signatures of rows, and whether each row has one."""
    is_signed = batch["signature"].is_valid().to_numpy(zero_copy_only=False)
    signatures = np.zeros((batch.num_rows, spec.num_permutations), np.uint32)
    joined = b"".join(batch["signature"].drop_null().to_pylist())
    signatures[is_signed] = np.frombuffer(joined, "<u4").reshape(-1, spec.num_permutations)
    return signatures, is_signed


def _sorted(path: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The keys of a file in ascending order and the row of each, mapped from files of their own."""
    keys = map_array(path, np.uint64)
    order = np.argsort(keys, kind="stable")
    in_order = path.with_name(f"{path.name}-in-order")
    row_of = path.with_name(f"{path.name}-rows")
    append_array(in_order, keys[order])
    append_array(row_of, rows[order])
    return map_array(in_order, np.uint64), map_array(row_of, np.int64)
