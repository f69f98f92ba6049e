"""Duplicates: rows of one source that say the same text again.

Equal are texts that differ in capitals alone. The first row of equal texts stays and the others are
duplicates; where their labels differ nobody knows which is right, and all are rejected as a conflict.
Keys lie on disk and are sorted in bounded buckets, so memory does not grow with the source.

    keys = KeyFile(folder / "keys")
    keys.add(positions, texts, labels)
    verdicts = find_duplicates(keys.read(), num_rows)      # int8 (num_rows,): KEEP, DUPLICATE, CONFLICT
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

KEEP, DUPLICATE, CONFLICT = 0, 1, 2
REASONS = {DUPLICATE: "duplicate", CONFLICT: "conflict"}

KEY = np.dtype([("text", np.uint64), ("label", np.uint64), ("position", np.int64)])
_KEYS_PER_BUCKET = 1_000_000


def text_keys(texts: pa.Array) -> np.ndarray:
    """64 bits of each text without its capitals; ten million texts collide once in 400,000 times."""
    return _digests(pc.utf8_lower(texts))


class KeyFile:
    """The keys of a source's rows, appended batch by batch and read as one array on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")

    def add(self, positions: np.ndarray, texts: pa.Array, labels: pa.Array) -> None:
        """Append the keys of the rows at ``positions``."""
        keys = np.empty(len(positions), KEY)
        keys["text"] = text_keys(texts)
        keys["label"] = _digests(labels)
        keys["position"] = positions
        keys.tofile(self._file)

    def read(self) -> np.ndarray:
        """All keys, ``KEY (num_keys,)``, mapped from the disk."""
        self._file.close()
        if not self.path.stat().st_size:
            return np.empty(0, KEY)
        return np.memmap(self.path, KEY, mode="r")


def find_duplicates(keys: np.ndarray, num_rows: int) -> np.ndarray:
    """A verdict for each row, int8 ``(num_rows,)``; rows without a key are kept."""
    verdicts = np.zeros(num_rows, np.int8)
    num_buckets = 1 + len(keys) // _KEYS_PER_BUCKET
    for bucket in range(num_buckets):
        mine = keys if num_buckets == 1 else keys[keys["text"] % np.uint64(num_buckets) == bucket]
        if len(mine):
            positions, found = _judge(mine)
            verdicts[positions] = found
    return verdicts


def _judge(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and verdicts of the keys of one bucket."""
    keys = np.sort(keys, order=("text", "position"))
    is_first = np.append(True, keys["text"][1:] != keys["text"][:-1])
    group = np.cumsum(is_first) - 1
    other_label = keys["label"] != keys["label"][is_first][group]
    in_conflict = np.zeros(group[-1] + 1, bool)
    in_conflict[group[other_label]] = True
    verdicts = np.where(is_first, KEEP, DUPLICATE)
    verdicts[in_conflict[group]] = CONFLICT
    return keys["position"], verdicts.astype(np.int8)


def _digests(texts: pa.Array) -> np.ndarray:
    digests = map(xxhash.xxh3_64_intdigest, texts.cast(pa.binary()).to_pylist())
    return np.fromiter(digests, np.uint64, len(texts))
