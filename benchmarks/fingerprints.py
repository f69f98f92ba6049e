"""Which data a table was measured on: two tables of one benchmark may be compared where these are equal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from metamapping.runs.folder import RunFolder
from metamapping.storage.manifest import fingerprint, fingerprint_file


def data_fingerprint(paths: Iterable[str | Path]) -> str:
    """16 hexadecimal digits over the bytes of the files that were evaluated on, in any order."""
    return fingerprint(sorted(fingerprint_file(path) for path in paths))


def fingerprint_of_tests(run: RunFolder) -> str:
    """The same of all files of a run's test sources."""
    sources = run.config.sources_with("test")
    return data_fingerprint(path for source in sources for path in source.files)
