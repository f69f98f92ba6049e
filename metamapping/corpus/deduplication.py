"""Deduplication: finds rows of one source whose texts are equal or nearly equal.

Input: the keys of rows. Output: a verdict for each row. Texts are equal if they differ only in capitals: the
first is kept and the others are duplicates, but if their labels differ, all are rejected as a conflict,
because it is unknown which label is right. Texts are near duplicates if the similarity of their signatures
reaches the threshold: of those with the same label the first is kept. Those with different labels are all
kept, because their small difference is what a model has to learn. Pairs of texts are equal if both texts are,
and near duplicates if the first texts are and the second texts are equal. Keys are stored on disk and sorted
in buckets of bounded size, so memory only grows by one byte for each row and with the pairs found.

    with KeyWriter(folder, spec) as writer:
        writer.add(positions, rows)
    keys = read_keys(folder, spec.num_permutations)
    verdicts = find_duplicates(keys, num_rows, spec)     # int8 (num_rows,): KEEP, DUPLICATE …
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from metamapping.config.corpus import DuplicateSpec
from metamapping.corpus.signatures import band_keys, num_bands, sign, similarity
from metamapping.storage.flat_arrays import map_array

KEEP, DUPLICATE, CONFLICT, NEAR_DUPLICATE = 0, 1, 2, 3
REASONS = ("duplicate", "conflict", "near_duplicate")  # The reasons of verdicts 1, 2 and 3.

KEY = np.dtype([("text", np.uint64), ("label", np.uint64), ("position", np.int64), ("is_signed", np.bool_)])
_KEYS_PER_BUCKET = 1_000_000


class Keys(NamedTuple):
    """The keys by which a source's rows are compared, memory-mapped.

    ``rows``: ``KEY (num_keys,)`` with ascending positions.
    ``signatures``: uint32 ``(num_keys, num_permutations)``; empty unless near duplicates are searched.
    ``bands``: uint64 ``(num_keys,)`` for each band; empty unless near duplicates are searched.
    """

    rows: np.ndarray
    signatures: np.ndarray
    bands: list[np.ndarray]


class KeyWriter:
    """Appends the keys of a source's rows to files in a new folder, batch by batch.

    Args:
        folder: The folder to create.
        spec: What counts as a duplicate, and the size of the signatures.
    """

    def __init__(self, folder: Path, spec: DuplicateSpec) -> None:
        folder.mkdir()
        self._spec = spec
        self._files = ExitStack()
        names = ["rows", "signatures"]
        self._bands = num_bands(spec.threshold, spec.num_permutations) if spec.near else 0
        names += [_band_name(band) for band in range(self._bands)]
        self._file = {name: self._files.enter_context((folder / name).open("wb")) for name in names}

    def add(self, positions: np.ndarray, rows: pa.Table) -> None:
        """Append the keys of a batch of rows.

        Args:
            positions: The position of each row in the source, int64 ``(num_rows,)``, above all before.
            rows: The rows, with the columns of ``EXAMPLES``.
        """
        keys = np.zeros(len(positions), KEY)
        texts, pairs = _digests(pc.utf8_lower(rows["text"])), None
        if rows["text_pair"].null_count < rows.num_rows:
            pairs = _digests(pc.utf8_lower(rows["text_pair"])) * np.uint64(0x9E3779B97F4A7C15)
        keys["text"] = texts if pairs is None else texts ^ pairs
        keys["label"] = _digests(pc.coalesce(rows["label"], pc.binary_join(rows["tags"], " ")))
        keys["position"] = positions
        if self._spec.near:
            permutations = self._spec.num_permutations
            signatures, keys["is_signed"] = sign(rows["text"], permutations, salts=pairs)
            self._write("signatures", signatures)
            for band, values in enumerate(band_keys(signatures, self._bands)):
                self._write(_band_name(band), values)
        self._write("rows", keys)

    def _write(self, name: str, values: np.ndarray) -> None:
        # On a full disk `values.tofile` loses the last kilobytes without an error.
        self._file[name].write(values.tobytes())

    def __enter__(self) -> KeyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()


def read_keys(folder: Path, num_permutations: int) -> Keys:
    """Return the keys that a ``KeyWriter`` wrote, memory-mapped.

    Args:
        folder: The folder of the keys.
        num_permutations: The length of a signature.
    """
    return Keys(
        map_array(folder / "rows", KEY),
        map_array(folder / "signatures", np.uint32).reshape(-1, num_permutations),
        [map_array(path, np.uint64) for path in sorted(folder.glob("band-*"))],
    )


def find_duplicates(keys: Keys, num_rows: int, spec: DuplicateSpec) -> np.ndarray:
    """Find duplicates, conflicts and near duplicates.

    Args:
        keys: The keys of the rows.
        num_rows: The number of rows, of which some may have no key; these are kept.
        spec: What is searched for.

    Returns:
        ``KEEP``, ``DUPLICATE``, ``CONFLICT`` or ``NEAR_DUPLICATE`` for each row, int8 ``(num_rows,)``.
    """
    verdicts = np.zeros(num_rows, np.int8)
    if spec.exact:
        for bucket in _buckets(keys.rows["text"]):
            positions, found = _verdicts_of_equal(keys.rows[bucket])
            verdicts[positions] = found
    if spec.near:
        verdicts[_near(keys, verdicts, spec.threshold)] = NEAR_DUPLICATE
    return verdicts


def _verdicts_of_equal(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and verdicts of a bucket of keys, which has all rows of each of its texts."""
    keys = np.sort(keys, order=("text", "position"))
    is_first = np.append(True, keys["text"][1:] != keys["text"][:-1])
    group = np.cumsum(is_first) - 1
    other_label = keys["label"] != keys["label"][is_first][group]
    in_conflict = np.zeros(group[-1] + 1, bool)
    in_conflict[group[other_label]] = True
    verdicts = np.where(is_first, KEEP, DUPLICATE)
    verdicts[in_conflict[group]] = CONFLICT
    return keys["position"], verdicts.astype(np.int8)


def _near(keys: Keys, verdicts: np.ndarray, threshold: float) -> np.ndarray:
    """Positions of the rows that are near duplicates of an earlier row with the same label."""
    num_keys = len(keys.rows)
    found = np.empty(0, np.int64)  # each pair of keys as one number: earlier * num_keys + later
    for band in keys.bands:
        for bucket in _buckets(band):
            mine = keys.rows[bucket]
            rows = bucket[mine["is_signed"] & (verdicts[mine["position"]] == KEEP)]
            pairs = _pairs_of_equal(band[rows], rows)
            close = pairs[similarity(keys.signatures, keys.signatures, pairs) >= threshold]
            found = np.union1d(found, close[:, 0] * num_keys + close[:, 1])
    if not len(found):
        return np.empty(0, np.int64)
    rows, places = np.unique(np.divmod(found, num_keys), return_inverse=True)
    left, right = places.reshape(2, -1)
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(len(rows), len(rows)))
    cluster = connected_components(graph, directed=False)[1]
    labels = np.unique(keys.rows["label"][rows], return_inverse=True)[1]
    _, firsts = np.unique(cluster * (labels.max() + 1) + labels, return_index=True)
    positions: np.ndarray = np.delete(keys.rows["position"][rows], firsts)
    return positions


def _pairs_of_equal(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pairs of each row with the first row of the same value, ``(num_pairs, 2)``, the earlier row first."""
    order = np.argsort(values, kind="stable")
    values, rows = values[order], rows[order]
    is_first = np.append(True, values[1:] != values[:-1]) if len(values) else np.empty(0, bool)
    first = rows[is_first][np.cumsum(is_first) - 1] if len(values) else rows
    pairs: np.ndarray = np.stack([first, rows], axis=1)[~is_first]
    return pairs


def _buckets(values: np.ndarray) -> Iterator[np.ndarray]:
    """The indices of all values in a few buckets of bounded size, with equal values in the same bucket."""
    num_buckets = 1 + len(values) // _KEYS_PER_BUCKET
    for bucket in range(num_buckets):
        places = [
            start
            + np.flatnonzero(values[start : start + _KEYS_PER_BUCKET] % np.uint64(num_buckets) == bucket)
            for start in range(0, len(values), _KEYS_PER_BUCKET)
        ]
        if places and len(found := np.concatenate(places)):
            yield found


def _digests(texts: pa.Array) -> np.ndarray:
    """64-bit hashes; among ten million texts there is a collision with probability 1 to 400,000."""
    digests = map(xxhash.xxh3_64_intdigest, texts.cast(pa.binary()).to_pylist())
    return np.fromiter(digests, np.uint64, len(texts))


def _band_name(band: int) -> str:
    return f"band-{band:04d}"
