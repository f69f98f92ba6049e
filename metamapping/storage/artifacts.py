"""The store: stages on disk, each whole or not there.

A stage's output is a folder ``<home>/data/<stage>-<fingerprint>/`` whose ``manifest.json`` was
written last, inside a temporary folder that was then renamed: a folder without a manifest does not
exist. The fingerprint is taken over everything that decides the output, so a stage that is there
never has to be done again.

    store = Store(config.home)
    stage = Stage("clean", "banking77", version=1, settings={...}, upstream=[...])
    if (done := store.find(stage)) is None:
        with store.write(stage) as draft:
            ...                                  # write files into draft.folder
            draft.counts.update(rows_in=10, rows_out=9, rejects=1)
        done = store.find(stage)
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from metamapping.errors import StoreError
from metamapping.storage import manifest, remote
from metamapping.storage.manifest import (
    MANIFEST,
    check_files,
    fingerprint,
    fingerprint_file,
    write_json,
)

__all__ = [
    "MANIFEST",
    "Draft",
    "Reference",
    "Stage",
    "Store",
    "StoreError",
    "check_files",
    "fingerprint",
    "fingerprint_file",
    "publish_folder",
    "read_reference",
    "write_json",
    "write_manifest",
]


class Reference(BaseModel):
    """What travels between Prefect tasks instead of data: where a finished stage lies.

    ``path`` is a folder, or an address that means the same on every machine.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    name: str
    fingerprint: str
    path: str
    counts: dict[str, int]

    @property
    def folder(self) -> Path:
        """The stage's files on this machine, fetched where they lie at an address.

        Raises ``StoreError`` where there is no such stage any more, or a file is not as it was written.
        """
        folder = remote.open_folder(self.path)
        if not folder.is_dir():
            raise StoreError(f"{self.path} is not there any more: run what made it again")
        if "://" not in remote.place_of(folder):  # what was fetched has been checked
            try:
                check_files(folder, [])
            except StoreError as error:
                raise StoreError(f"{error}. Preparing the corpus again makes it anew") from error
        return folder


@dataclass(frozen=True)
class Stage:
    """A stage's identity: its kind, what it is about, and all that decides its output."""

    kind: str
    name: str
    version: int
    settings: Any
    upstream: Sequence[str] = ()

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over kind, version, settings and upstream fingerprints."""
        return fingerprint([self.kind, self.version, self.settings, list(self.upstream)])


@dataclass
class Draft:
    """A stage being written."""

    folder: Path
    counts: dict[str, int] = field(default_factory=dict)


class Store:
    """Finished stages under ``<home>/data``; ``home`` is a folder or an address."""

    def __init__(self, home: str | Path) -> None:
        self.home = remote.local_folder(home)

    def find(self, stage: Stage) -> Reference | None:
        """The finished stage, or ``None``.

        A stage in a folder of which a byte has changed is set aside, and there is none. Raises
        ``StoreError`` on an unreadable manifest at an address.
        """
        folder = self._folder(stage)
        if "://" in remote.place_of(folder) or not (folder / MANIFEST).is_file():
            return read_reference(folder)
        try:
            check_files(folder, [])
            return read_reference(folder)
        except StoreError as error:
            remote.set_aside(folder, error)
            return None

    @contextmanager
    def write(self, stage: Stage) -> Iterator[Draft]:
        """A folder to fill; it becomes the stage when the block ends without an error."""
        final = self._folder(stage)
        draft = Draft(final.parent / f".draft-{final.name}-{uuid.uuid4().hex[:8]}")
        draft.folder.mkdir(parents=True)
        remote.remove_old_drafts(final.parent)
        try:
            yield draft
            write_manifest(draft.folder, stage, draft.counts)
            publish_folder(draft.folder, final)
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)

    def _folder(self, stage: Stage) -> Path:
        return self.home / "data" / f"{stage.kind}-{stage.name}-{stage.fingerprint}"


def write_manifest(folder: Path, stage: Stage, counts: dict[str, int]) -> None:
    """Write ``manifest.json``; rows in must be rows out plus rejects where they are counted."""
    if "rows_in" in counts:
        lost = counts["rows_in"] - counts["rows_out"] - counts["rejects"]
        if lost:
            raise StoreError(f"{stage.kind} {stage.name}: {lost} rows are neither out nor rejected")
    about = {
        "stage": stage.kind,
        "name": stage.name,
        "version": stage.version,
        "fingerprint": stage.fingerprint,
        "upstream": list(stage.upstream),
        "settings": stage.settings,
        "counts": counts,
    }
    manifest.write_manifest(folder, about)


def read_reference(folder: Path) -> Reference | None:
    """The reference of a finished folder, or ``None`` where no manifest stands."""
    path = folder / MANIFEST
    data = remote.read_file(path)
    if data is None:
        return None
    try:
        about = manifest.unsealed(data, remote.place_of(path))
        return Reference(
            stage=about["stage"],
            name=about["name"],
            fingerprint=about["fingerprint"],
            path=remote.place_of(folder),
            counts=about["counts"],
        )
    except (ValueError, KeyError, TypeError) as error:
        place = remote.place_of(path)
        raise StoreError(f"{place} is damaged ({error}): remove the folder to have it made again") from error


def publish_folder(draft: Path, final: Path) -> None:
    """Rename a finished folder into place; the first of two writers of the same stage wins."""
    remote.push_folder(draft, final)
    try:
        draft.rename(final)
    except OSError:
        if not (final / MANIFEST).is_file():
            # Something without a manifest is in the way: it does not exist, so it may go.
            shutil.rmtree(final)
            draft.rename(final)
