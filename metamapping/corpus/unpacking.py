"""Unpacking: a file that unpacks to far more than its size is refused before it fills memory or disk.

Compression, dictionaries and runs of equal values let a few kilobytes stand for terabytes. Texts that people
wrote unpack to 3 to 30 times their size. What is small when it is unpacked may have any ratio.

    check_unpacked(num_unpacked, num_packed, source, path)
"""

from __future__ import annotations

from pathlib import Path

from metamapping.config.sources import Source
from metamapping.errors import ConfigError

SMALL_BYTES = 100_000_000
MAX_RATIO = 200


def check_unpacked(
    num_unpacked: int, num_packed: int, source: Source, path: Path, *, max_ratio: int = MAX_RATIO
) -> None:
    """Check that a file does not unpack to far more than its size.

    Args:
        num_unpacked: Number of bytes of its content, so far or in all.
        num_packed: Number of bytes that they were unpacked from.
        source: The source, for error messages.
        path: The file, for error messages.
        max_ratio: How many times as large the content may be.

    Raises:
        ConfigError: It does, and the content is not small.
    """
    if num_unpacked > max(SMALL_BYTES, max_ratio * num_packed):
        raise ConfigError(
            f"source {source.name!r}: {path} unpacks to more than {max_ratio} times its size ({num_unpacked} "
            f"bytes from {num_packed}), as files do that are made to fill the memory: if you trust it, "
            "unpack it and give it as .jsonl or .csv"
        )
