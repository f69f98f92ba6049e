"""Length counts: how many of the texts that a task was given are longer than its encoder reads at once.

mapping.length_counts                      # LengthCounts(num_texts=2, num_long=1, num_cut=0, ...)
mapping.length_counts.sentence()           # "1 of 2 texts is longer than the 128 tokens that ..."
"""

from __future__ import annotations

import threading
from dataclasses import dataclass


class LongPairWarning(UserWarning):
    """A pair of texts is longer than the encoder reads, and its end is not read."""


@dataclass(frozen=True)
class LengthCounts:
    """How many texts were encoded.

    Attributes:
        num_texts: All of them.
        num_long: Those longer than the encoder reads at once.
        num_cut: Those of which a part was not read: pairs, and texts of which one word is longer than that.
        max_length_tokens: How much the encoder reads at once, special tokens included.
    """

    num_texts: int
    num_long: int
    num_cut: int
    max_length_tokens: int

    def sentence(self) -> str | None:
        """What a user should know; ``None`` if no text is long."""
        if not max(self.num_long, self.num_cut):
            return None
        count = max(self.num_long, self.num_cut)
        long = (
            f"{count:,} of {self.num_texts:,} texts {'is' if count == 1 else 'are'} longer than the "
            f"{self.max_length_tokens} tokens that the encoder reads at once"
        )
        if not self.num_cut:
            return f"{long}, and {'was' if count == 1 else 'were'} read in overlapping windows"
        return f"{long}; of {self.num_cut:,} (pairs, or a very long word) the end was not read"


class LengthCounter:
    """Counts that any number of threads add to.

    Args:
        max_length_tokens: How much the encoder reads at once.
    """

    def __init__(self, max_length_tokens: int) -> None:
        self._lock = threading.Lock()
        self.total = LengthCounts(0, 0, 0, max_length_tokens)

    def add(self, num_texts: int, *, num_long: int = 0, num_cut: int = 0) -> None:
        """Count texts.

        Args:
            num_texts: Number of texts.
            num_long: Number of long ones among them.
            num_cut: Number of those that were cut.
        """
        with self._lock:
            old = self.total
            self.total = LengthCounts(
                old.num_texts + num_texts,
                old.num_long + num_long,
                old.num_cut + num_cut,
                old.max_length_tokens,
            )
