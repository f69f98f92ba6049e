"""Arrays to which batches of rows are appended, in the files of a folder or in memory.

growing = GrowingArrays(folder)
growing.append_rows("token_offsets", token_ids=token_ids, segment_ids=segment_ids)
growing.finished()["token_ids"]                                # int32 (num_tokens,), memory-mapped
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from metamapping.corpus.ragged import Ragged
from metamapping.storage.flat_arrays import append_array, map_array

# The arrays and their types. ``word_`` arrays and ``tag_numbers`` are for `ner`; ``set_offsets``,
# ``label_sets`` and ``rows_without_labels`` for texts with any number of labels; ``label_of`` for all others.
TYPES = {
    "token_offsets": "<i8",  # where each row begins in the next two, and where the last one ends
    "token_ids": "<i4",
    "segment_ids": "<i1",
    "label_of": "<i4",
    "set_offsets": "<i8",  # the same as ``token_offsets``, for the labels of each row
    "label_sets": "<i4",
    "rows_without_labels": "<i8",
    "label_rows": "<i8",  # the rows of the first label in ascending order, then those of the second …
    "word_offsets": "<i8",  # the same as ``token_offsets``, for the words of each row
    "word_starts": "<i4",
    "word_labels": "<i4",
    "word_shapes": "<i4",  # three for each word
    "tag_numbers": "<i4",
}


class GrowingArrays:
    """Arrays to which batches are appended.

    Args:
        folder: An empty folder for their files; ``None`` for arrays in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._parts: dict[str, list[np.ndarray]] = {}
        self._sizes: dict[str, int] = {}

    def append(self, name: str, values: np.ndarray) -> None:
        """Append values to an array.

        Args:
            name: One of ``TYPES``.
            values: The values.
        """
        values = np.ascontiguousarray(values.reshape(-1), TYPES[name])
        self._sizes[name] = self._sizes.get(name, 0) + len(values)
        if self._folder is None:
            self._parts.setdefault(name, []).append(values)
            return
        append_array(self._folder / name, values)

    def append_rows(self, offsets: str, **values: Ragged) -> None:
        """Append arrays that have as many values for each row, and where each row begins in them.

        Args:
            offsets: Name of the array of where each row begins.
            values: The rows of each array.
        """
        if offsets not in self._sizes:
            self.append(offsets, np.zeros(1, np.int64))
        first = next(iter(values))
        self.append(offsets, values[first].offsets[1:] + self._sizes.get(first, 0))
        for name, rows in values.items():
            self.append(name, rows.values)

    def of(self, name: str) -> np.ndarray:
        """Return an array to which nothing more will be appended.

        Args:
            name: Its name.
        """
        if self._folder is not None:
            return map_array(self._folder / name, TYPES[name])
        if len(self._parts[name]) > 1:
            self._parts[name] = [np.concatenate(self._parts[name])]
        return self._parts[name][0]

    def finished(self) -> dict[str, np.ndarray]:
        """Return all arrays by name."""
        return {name: self.of(name) for name in self._sizes}
