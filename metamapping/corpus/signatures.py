"""Signatures: MinHash sketches of texts, which find pairs of similar texts.

Input: texts. Output: one signature for each. A text is regarded as its set of shingles: all sequences of five
bytes of its lower-cased letters and digits. The share of equal numbers in the signatures of two texts
estimates the Jaccard similarity of their shingles (Broder 1997), with a standard error of at most
``0.5 / sqrt(num_permutations)``. Only texts with an equal band of numbers are compared (locality-sensitive
hashing).

    signatures, is_signed = sign(pa.array(["the quick brown fox"]), num_permutations=128)
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metamapping.errors import needs_train_extra

SHINGLE_BYTES = 5
_SEED = 1
_PAIRS_AT_ONCE = 20_000
_MIN_RECALL = 0.95
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio: spreads bits over all 64


def sign(
    texts: pa.Array, num_permutations: int, *, salts: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the signatures of texts.

    A text without a letter or digit has no shingles, and so no signature: its numbers are 0.

    Args:
        texts: Strings, without null.
        num_permutations: The number of hash functions.
        salts: uint64 ``(num_texts,)``. Texts with different salts have no shingle in common.

    Returns:
        The signatures, uint32 ``(num_texts, num_permutations)``, and whether each text has one, bool
        ``(num_texts,)``.
    """
    with needs_train_extra("finding near-duplicates"):
        from rensa import RMinHash

    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    signatures = np.zeros((len(texts), num_permutations), np.uint32)
    plain = pc.utf8_trim(pc.replace_substring_regex(pc.utf8_lower(texts), r"[^\pL\pN]+", " "), " ")
    is_signed = pc.not_equal(plain, "").to_numpy(zero_copy_only=False)
    if is_signed.any():
        shingles, offsets = _shingles(plain.filter(pa.array(is_signed)))
        if salts is not None:
            shingles = shingles ^ np.repeat(salts[is_signed], np.diff(offsets).astype(np.int64))
        digests = RMinHash.digest_matrix_from_flat_token_hashes(shingles, offsets, num_permutations, _SEED)
        numbers: Any = chain.from_iterable(digests.to_rows())
        flat: np.ndarray = np.fromiter(numbers, np.uint32)
        signatures[is_signed] = flat.reshape(-1, num_permutations)
    return signatures, is_signed


def algorithm() -> list[int]:
    """Return what determines a signature besides the text, for the fingerprints of stages that use it."""
    with needs_train_extra("finding near-duplicates"):
        from rensa import RMinHash

    return [int(RMinHash.ALGORITHM_VERSION), _SEED, SHINGLE_BYTES]


def num_bands(threshold: float, num_permutations: int) -> int:
    """Return the smallest number of bands with which a pair at the threshold is found 19 times in 20.

    For two texts with similarity ``s``, a band of ``r`` numbers is equal with probability ``s^r``, and any
    of ``b`` bands with ``1 - (1 - s^r)^b`` (Leskovec et al., Mining of Massive Datasets, section 3.4).

    Args:
        threshold: The similarity of the pairs to find.
        num_permutations: The length of a signature, which the number of bands divides.
    """
    for bands in range(1, num_permutations + 1):
        if num_permutations % bands == 0:
            rows = num_permutations // bands
            if 1 - (1 - threshold**rows) ** bands >= _MIN_RECALL:
                return bands
    return num_permutations


def band_keys(signatures: np.ndarray, bands: int) -> np.ndarray:
    """Hash each band of each signature.

    Args:
        signatures: uint32 ``(num_signatures, num_permutations)``.
        bands: The number of bands.

    Returns:
        uint64 ``(bands, num_signatures)``.
    """
    rows = signatures.shape[1] // bands
    split = signatures.reshape(len(signatures), bands, rows).astype(np.uint64)
    keys = np.zeros((len(signatures), bands), np.uint64)
    for i in range(rows):
        keys = (keys ^ split[:, :, i]) * _MIX  # modulo 2^64
        keys ^= keys >> np.uint64(29)
    return np.ascontiguousarray(keys.T)


def similarity(left: np.ndarray, right: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Estimate the similarity of pairs of texts.

    Args:
        left: Signatures, uint32 ``(num_left, num_permutations)``.
        right: Signatures, uint32 ``(num_right, num_permutations)``.
        pairs: Rows of ``left`` and ``right``, int64 ``(num_pairs, 2)``.

    Returns:
        float32 ``(num_pairs,)``.
    """
    found = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        part = pairs[start : start + _PAIRS_AT_ONCE]
        found[start : start + len(part)] = (left[part[:, 0]] == right[part[:, 1]]).mean(axis=1)
    return found


def _shingles(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The shingles of all texts as mixed 64-bit numbers, and where those of each text begin."""
    padded = pc.ascii_rpad(texts, SHINGLE_BYTES)
    ends = np.frombuffer(padded.buffers()[1], np.int32)[: len(padded) + 1].astype(np.int64)
    data = np.frombuffer(padded.buffers()[2] or b"", np.uint8)[: ends[-1]].astype(np.uint64)
    num_places = max(len(data) - SHINGLE_BYTES + 1, 0)
    shingles = np.zeros(num_places, np.uint64)
    for i in range(SHINGLE_BYTES):
        shingles |= data[i : num_places + i] << np.uint64(8 * i)
    inside = np.ones(len(data), bool)
    for i in range(1, SHINGLE_BYTES):
        inside[ends[1:] - i] = False  # A shingle that begins here would extend into the next text.
    shingles = shingles[inside[:num_places]] * _MIX
    shingles ^= shingles >> np.uint64(32)
    counts = np.diff(ends) - SHINGLE_BYTES + 1
    return shingles, np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
