"""Ragged: rows of different lengths in two flat arrays, without a Python object for each row.

ragged = Ragged.from_lists([[1, 2], [], [3]], np.int32)
ragged[0]                                  # array([1, 2])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths: row ``i`` is ``values[offsets[i]:offsets[i + 1]]``.

    ``values`` is ``(num_values, ...)``, ``offsets`` is int64 ``(num_rows + 1,)`` and begins with 0.
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Number of values of each row, ``(num_rows,)``."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the number of values of some of the rows, ``(len(rows),)``.

        Args:
            rows: Numbers of rows.
        """
        lengths: np.ndarray = self.offsets[rows + 1] - self.offsets[rows]
        return lengths

    def take(self, rows: np.ndarray) -> Ragged:
        """Return some of the rows, in the order given.

        Args:
            rows: Numbers of rows; one may occur several times.
        """
        values = np.concatenate([self[row] for row in rows]) if len(rows) else self.values[:0]
        return Ragged(values, offsets_of(self.lengths_of(rows)))

    def to_arrow(self, dtype: type) -> pa.ListArray:
        """Return the rows as an Arrow array of lists.

        Args:
            dtype: The type of the values.
        """
        import pyarrow as pa  # corpora alone are made of Arrow columns

        values = pa.array(self.values.astype(dtype, copy=False))
        return pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32)), values)

    @classmethod
    def from_arrow(cls, column: pa.ChunkedArray, dtype: type) -> Ragged:
        """Convert an Arrow column of lists, without a copy if the type is the same.

        Args:
            column: Lists of numbers.
            dtype: The type of the values.
        """
        array = column.combine_chunks()
        offsets = array.offsets.to_numpy().astype(np.int64)
        values = array.values.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
        return cls(values[offsets[0] : offsets[-1]], offsets - offsets[0])

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[int]], dtype: type) -> Ragged:
        """Convert lists of numbers.

        Args:
            rows: The rows.
            dtype: The type of the values.
        """
        offsets = offsets_of(np.fromiter(map(len, rows), np.int64, len(rows)))
        values: np.ndarray = np.fromiter(chain.from_iterable(rows), dtype, count=offsets[-1])
        return cls(values, offsets)


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Return where each row begins, and where the last ends, int64 ``(num_rows + 1,)``.

    Args:
        lengths: Number of values of each row, ``(num_rows,)``.
    """
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
