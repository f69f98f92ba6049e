"""The watcher: checks a home all the time, and records every folder that is visible but incomplete.

A folder is complete if it has a manifest and its files have the sizes and checksums in it. Names that start
with a dot are temporary directories, which nothing reads. If the file that a stage writes last is replaced
after it was seen, the stage was done twice.

    with Watcher(home) as watcher:
        ...
    assert not watcher.faults
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path

from metamapping.errors import StoreError
from metamapping.storage.manifest import MANIFEST, check_files
from metamapping.training.checkpoints import STATE

PATTERNS = (
    "data/[!.]*",
    "runs/*/checkpoints/round-*[0-9]",
    "runs/*/checkpoints/round-*-partial/[!.]*",
    "runs/*/published",
)
RESULTS = ("runs/*/run.json", "runs/*/selection.json", "runs/*/validation-*.json", "runs/*/test-*.json")


class Watcher:
    """Checks one home from a thread until the block ends, and then everything once more."""

    def __init__(self, home: Path, *, seconds_between: float = 0.01) -> None:
        self.home = home
        self.faults: list[str] = []
        self.num_looks = 0
        self._seconds_between = seconds_between
        self._complete: dict[Path, bytes | tuple[int, int]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.look(again=True)

    def look(self, *, again: bool = False) -> None:
        """Check what is new, and with ``again`` also what was complete before."""
        self.num_looks += 1
        for pattern in PATTERNS:
            for folder in self.home.glob(pattern):
                self._check(folder, folder / MANIFEST, again=again)
        for pattern in RESULTS:
            for file in self.home.glob(pattern):
                self._check(file, file, again=again)

    def _watch(self) -> None:
        while not self._ended.is_set():
            with suppress(FileNotFoundError):  # a folder was removed while it was listed
                self.look()
            time.sleep(self._seconds_between)

    def _check(self, path: Path, last_file: Path, *, again: bool) -> None:
        """Check a folder or file; ``last_file`` is the file that completes it."""
        identity = _identity(last_file)
        seen = self._complete.get(path)
        if seen is not None and identity is not None and seen != identity:
            self._record(f"{path} was written a second time")
        elif seen is not None and not again:
            return
        if path.is_dir():
            try:
                check_files(path, [])
            except (OSError, StoreError) as error:
                # A folder that was removed since it was listed is no fault.
                if path.is_dir():
                    self._record(f"{path} is visible and incomplete: {error}")
                return
        if identity is not None:
            self._complete[path] = identity

    def _record(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


def _identity(last_file: Path) -> bytes | tuple[int, int] | None:
    """What changes if a stage is done twice: inode and time of its last file; ``None`` without that file.

    A checkpoint's weights may be removed later, which rewrites its manifest. Its state stays the same, and it
    holds the seconds of the training that wrote it.
    """
    try:
        state = last_file.with_name(STATE)
        if last_file.name == MANIFEST and state.is_file():
            return state.read_bytes()
        status = last_file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
