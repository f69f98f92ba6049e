"""Weight delta: what tuning changes in the layers of an encoder, small enough to keep with a task.

The change of a matrix is kept as a product of two thin ones in float16, close to the best of its rank; a
vector's change as it is. All arrays have the names and the layout of ``model.safetensors``, so that every
backend can use them. This module does not import TensorFlow.

    delta = WeightDelta.between(base, tuned, rank=16)
    weights = delta.added_to(base)                 # float32 arrays by name; ``base`` is not changed
    arrays = delta.to_arrays()                     # for a file; WeightDelta.from_arrays(arrays) reads them
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# Columns besides those of the rank, and passes over a matrix, in the search for its factors.
_OVERSAMPLING, _NUM_ITERATIONS = 8, 2

_LEFT, _RIGHT, _VECTOR = "left", "right", "vector"


@dataclass(frozen=True, eq=False)  # two deltas are the same only if they are one object
class WeightDelta:
    """The changes of weights.

    Attributes:
        matrices: For each matrix ``(m, n)`` by name its factors ``(m, rank)`` and ``(rank, n)``, float16.
        vectors: The change of each vector by name, float16.
    """

    matrices: Mapping[str, tuple[np.ndarray, np.ndarray]]
    vectors: Mapping[str, np.ndarray]

    @classmethod
    def between(
        cls, base: Mapping[str, np.ndarray], tuned: Mapping[str, np.ndarray], *, rank: int
    ) -> WeightDelta:
        """What changed.

        Args:
            base: The weights before tuning, float32 vectors and matrices by name.
            tuned: The same weights after tuning.
            rank: Rank of the matrices' changes.
        """
        changes = {name: tuned[name] - base[name] for name in base}
        return cls(
            {name: _factors(each, rank) for name, each in changes.items() if each.ndim == 2},
            {name: each.astype(np.float16) for name, each in changes.items() if each.ndim == 1},
        )

    @property
    def names(self) -> frozenset[str]:
        """The names of all weights that change."""
        return frozenset(self.matrices) | frozenset(self.vectors)

    @property
    def num_bytes(self) -> int:
        """The size of all arrays."""
        return sum(array.nbytes for array in self.to_arrays().values())

    def scaled(self, share: float) -> WeightDelta:
        """A share of the change: weights between those before tuning and those after it.

        Args:
            share: 0 for none of it, 1 for all.
        """
        return WeightDelta(
            {name: (left, _half(share * right)) for name, (left, right) in self.matrices.items()},
            {name: _half(share * vector) for name, vector in self.vectors.items()},
        )

    def check_fits(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Check that the change belongs to an encoder.

        Args:
            shapes: The shape of each weight of the layers, by name.

        Raises:
            ValueError: It has other weights, or weights of other shapes.
        """
        mine = {name: (len(left), right.shape[1]) for name, (left, right) in self.matrices.items()}
        mine |= {name: vector.shape for name, vector in self.vectors.items()}
        if mine != {name: tuple(shape) for name, shape in shapes.items()}:
            different = sorted(name for name in {*mine, *shapes} if mine.get(name) != shapes.get(name))
            raise ValueError(
                f"the task's tuned weights are not those of this encoder (such as {different[0]!r:.80}): "
                "give the encoder that it was tuned with, or tune again"
            )

    def added_to(self, base: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The tuned weights.

        Args:
            base: The weights before tuning by name; not changed.

        Returns:
            Float32 arrays by name.
        """
        tuned = {
            name: base[name] + left.astype(np.float32) @ right.astype(np.float32)
            for name, (left, right) in self.matrices.items()
        }
        return tuned | {name: base[name] + vector.astype(np.float32) for name, vector in self.vectors.items()}

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All arrays for a file, by ``left/NAME``, ``right/NAME`` and ``vector/NAME``."""
        arrays = {f"{_VECTOR}/{name}": vector for name, vector in self.vectors.items()}
        for name, (left, right) in self.matrices.items():
            arrays |= {f"{_LEFT}/{name}": left, f"{_RIGHT}/{name}": right}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> WeightDelta:
        """The changes from the arrays of a file.

        Args:
            arrays: As ``to_arrays`` returns them.

        Raises:
            ValueError: They are not the arrays of a delta.
        """
        parts: dict[str, dict[str, np.ndarray]] = {_LEFT: {}, _RIGHT: {}, _VECTOR: {}}
        for key, array in arrays.items():
            part, _, name = key.partition("/")
            num_axes = 1 if part == _VECTOR else 2
            if (
                part not in parts
                or array.dtype != np.float16
                or array.ndim != num_axes
                or not np.isfinite(array).all()
            ):
                raise ValueError(f"its tuned weight {key!r:.80} is not a finite float16 array of a delta")
            parts[part][name] = array
        left, right, vectors = parts.values()
        is_whole = set(left) == set(right) and not set(left) & set(vectors)
        if not is_whole or any(left[name].shape[1] != right[name].shape[0] for name in left):
            raise ValueError("its tuned weights do not fit each other")
        return cls({name: (left[name], right[name]) for name in left}, vectors)


def _factors(change: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """The factors of a matrix of this rank that is as close to a change as any, but for half a percent.

    By subspace iteration from random columns (Halko, Martinsson and Tropp, "Finding structure with
    randomness", SIAM Review 2011), in a seventh of the time of an exact decomposition.
    """
    columns = np.random.default_rng(0).normal(size=(change.shape[1], rank + _OVERSAMPLING))
    basis = np.linalg.qr(change @ columns.astype(change.dtype))[0]
    for _ in range(_NUM_ITERATIONS):
        basis = np.linalg.qr(change @ (change.T @ basis))[0]
    left, sizes, right = np.linalg.svd(basis.T @ change, full_matrices=False)
    # Divided evenly, so that neither factor leaves the range of float16.
    roots = np.sqrt(sizes[:rank])
    return _half((basis @ left[:, :rank]) * roots), _half(right[:rank] * roots[:, None])


def _half(array: np.ndarray) -> np.ndarray:
    half: np.ndarray = np.ascontiguousarray(array, np.float16)
    return half
