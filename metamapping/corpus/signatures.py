"""Signatures: MinHash sketches of texts, and the pairs of texts that they find nearly alike.

A text is the set of its pieces: every five bytes in a row of its letters and digits, without capitals.
The share of equal numbers in the signatures of two texts estimates the share of common pieces (their
Jaccard similarity; Broder 1997), with a standard error of at most ``0.5 / sqrt(num_permutations)``.
Only texts that agree in a whole band of numbers are compared (locality-sensitive hashing).

    signatures, is_signed = sign(pa.array(["the quick brown fox"]), num_permutations=128)
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PIECE_BYTES = 5
_SEED = 1
_PAIRS_AT_ONCE = 20_000
_LEAST_RECALL = 0.95


def sign(
    texts: pa.Array, num_permutations: int, *, salts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Signatures of texts, uint32 ``(num_texts, num_permutations)``, and which texts have one.

    A text without a letter or digit has no pieces, and so none: its numbers are 0. Texts with
    different ``salts`` (uint64 ``(num_texts,)``) have no piece in common.
    """
    from rensa import RMinHash

    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    signatures = np.zeros((len(texts), num_permutations), np.uint32)
    plain = pc.utf8_trim(pc.replace_substring_regex(pc.utf8_lower(texts), r"[^\pL\pN]+", " "), " ")
    is_signed = pc.not_equal(plain, "").to_numpy(zero_copy_only=False)
    if is_signed.any():
        pieces, offsets = _pieces(plain.filter(pa.array(is_signed)))
        if salts is not None:
            pieces = pieces ^ np.repeat(salts[is_signed], np.diff(offsets).astype(np.int64))
        digests = RMinHash.digest_matrix_from_flat_token_hashes(pieces, offsets, num_permutations, _SEED)
        numbers: Any = chain.from_iterable(digests.to_rows())
        flat: np.ndarray = np.fromiter(numbers, np.uint32)
        signatures[is_signed] = flat.reshape(-1, num_permutations)
    return signatures, is_signed


def algorithm() -> list[int]:
    """What decides a signature besides the text: part of the fingerprint of what is found by it."""
    from rensa import RMinHash

    return [int(RMinHash.ALGORITHM_VERSION), _SEED, PIECE_BYTES]


def num_bands(threshold: float, num_permutations: int) -> int:
    """The fewest bands with which texts at the threshold are compared 19 times in 20.

    A band of ``r`` numbers agrees with probability ``s^r``, one of ``b`` bands with
    ``1 - (1 - s^r)^b`` (Leskovec et al., Mining of Massive Datasets, section 3.4).
    """
    for bands in range(1, num_permutations + 1):
        if num_permutations % bands == 0:
            rows = num_permutations // bands
            if 1 - (1 - threshold**rows) ** bands >= _LEAST_RECALL:
                return bands
    return num_permutations


def band_keys(signatures: np.ndarray, bands: int) -> np.ndarray:
    """64 bits for each band of each signature: uint64 ``(bands, num_signatures)``."""
    rows = signatures.shape[1] // bands
    split = signatures.reshape(len(signatures), bands, rows).astype(np.uint64)
    keys = np.zeros((len(signatures), bands), np.uint64)
    for i in range(rows):
        keys = (keys ^ split[:, :, i]) * np.uint64(0x9E3779B97F4A7C15)  # wraps around
        keys ^= keys >> np.uint64(29)
    return np.ascontiguousarray(keys.T)


def similarity(left: np.ndarray, right: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Estimated similarity of the pairs ``(num_pairs, 2)`` of rows of two signature arrays."""
    found = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = pairs[start : start + _PAIRS_AT_ONCE]
        found[start : start + len(some)] = (left[some[:, 0]] == right[some[:, 1]]).mean(axis=1)
    return found


def _pieces(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """All pieces of all texts as mixed 64-bit numbers, and where each text's begin."""
    padded = pc.ascii_rpad(texts, PIECE_BYTES)
    ends = np.frombuffer(padded.buffers()[1], np.int32)[: len(padded) + 1].astype(np.int64)
    data = np.frombuffer(padded.buffers()[2] or b"", np.uint8)[: ends[-1]].astype(np.uint64)
    num_places = max(len(data) - PIECE_BYTES + 1, 0)
    pieces = np.zeros(num_places, np.uint64)
    for i in range(PIECE_BYTES):
        pieces |= data[i : num_places + i] << np.uint64(8 * i)
    inside = np.ones(len(data), bool)
    for i in range(1, PIECE_BYTES):
        inside[ends[1:] - i] = False  # a piece that begins here would reach into the next text
    pieces = pieces[inside[:num_places]] * np.uint64(0x9E3779B97F4A7C15)
    pieces ^= pieces >> np.uint64(32)
    counts = np.diff(ends) - PIECE_BYTES + 1
    return pieces, np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
