"""Fingerprints of test data, printed next to each table.

Two tables of one benchmark can only be compared if their fingerprints are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from metamapping.runs.folder import RunFolder
from metamapping.storage.manifest import fingerprint, fingerprint_file


def data_fingerprint(paths: Iterable[str | Path]) -> str:
    """16 hexadecimal digits that depend on the bytes of all files, but not on their names or order."""
    return fingerprint(sorted(fingerprint_file(path) for path in paths))


def fingerprint_of_tests(run: RunFolder) -> str:
    """The data fingerprint of all files of a run's test sources."""
    sources = run.config.sources_with("test")
    return data_fingerprint(path for source in sources for path in source.files)
