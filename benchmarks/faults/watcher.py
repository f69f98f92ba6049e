"""The watcher: looks at a home all the time, and writes down every folder that is seen half.

Whole is a visible folder whose manifest stands and whose files have the sizes and checksums that it says.
Names with a dot in front are drafts, which nobody reads. Where what a stage wrote last is replaced by
something else after it was seen, the stage was done twice.

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
    """Looks at one home from a thread, until the block ends; then once more at everything."""

    def __init__(self, home: Path, *, seconds_between: float = 0.01) -> None:
        self.home = home
        self.faults: list[str] = []
        self.num_looks = 0
        self._seconds_between = seconds_between
        self._whole: dict[Path, bytes | tuple[int, int]] = {}
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
        """Check what is new; ``again``: also what was whole before."""
        self.num_looks += 1
        for pattern in PATTERNS:
            for folder in self.home.glob(pattern):
                self._check(folder, folder / MANIFEST, again=again)
        for pattern in RESULTS:
            for file in self.home.glob(pattern):
                self._check(file, file, again=again)

    def _watch(self) -> None:
        while not self._ended.is_set():
            with suppress(FileNotFoundError):  # a folder was removed while it was listed: look again
                self.look()
            time.sleep(self._seconds_between)

    def _check(self, place: Path, mark: Path, *, again: bool) -> None:
        """``mark``: the file whose writing made the place whole."""
        identity = _identity(mark)
        seen = self._whole.get(place)
        if seen is not None and identity is not None and seen != identity:
            self._tell(f"{place} was made a second time")
        elif seen is not None and not again:
            return
        if place.is_dir():
            try:
                check_files(place, [])
            except (OSError, StoreError) as error:
                # Gone as a whole since it was listed, or half: only the latter is wrong.
                if place.is_dir():
                    self._tell(f"{place} is visible and not whole: {error}")
                return
        if identity is not None:
            self._whole[place] = identity

    def _tell(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


def _identity(mark: Path) -> bytes | tuple[int, int] | None:
    """Of what a stage wrote last; of a checkpoint, whose weights may go later, the state with its seconds."""
    try:
        state = mark.with_name(STATE)
        if mark.name == MANIFEST and state.is_file():
            return state.read_bytes()
        status = mark.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
