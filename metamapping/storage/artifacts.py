"""Artifacts: the store of finished stages, each of them atomic and verified against its checksums.

The output of a stage is a folder ``<home>/data/<stage>-<name>-<fingerprint>/``. The fingerprint covers
everything that determines the output, so a stage that is found never has to be computed again.

    store = Store(config.home)
    stage = Stage("clean", "banking77", version=1, settings={...}, upstream=[...])

    def write(folder: Path) -> dict[str, int]:
        ...                                      # write files into folder
        return {"rows_in": 10, "rows_out": 9, "rejects": 1}

    reference = store.get_or_write(stage, write)
    folder = reference.fetch()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from metamapping.errors import StoreError
from metamapping.storage import manifest, remote
from metamapping.storage.atomic_folder import atomic_folder, quarantine_folder, remove_abandoned_folders
from metamapping.storage.manifest import MANIFEST, check_files, fingerprint


class Reference(BaseModel):
    """Where a finished stage is stored: Prefect tasks pass references to each other instead of data.

    ``path`` is a folder, or an address that means the same on every machine.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    name: str
    fingerprint: str
    path: str
    counts: dict[str, int]

    def fetch(self) -> Path:
        """Bring the stage's files to this machine and verify each against its checksum.

        This downloads what is at an address, and reads every file of a local folder: call it once.

        Returns:
            The folder with the files.

        Raises:
            StoreError: The stage was removed, or a file does not match the manifest.
        """
        folder = remote.open_folder(self.path)
        if not folder.is_dir():
            raise StoreError(f"{self.path} does not exist any more: run the stage that writes it again")
        if not remote.is_remote(folder):  # Downloads have been verified already.
            try:
                check_files(folder, [])
            except StoreError as error:
                raise StoreError(
                    f"{error}. Preparing the corpus again rebuilds it: start the same command again, or on a "
                    "Prefect server the deployment `prepare-corpus` with the run's configuration"
                ) from error
        return folder


@dataclass(frozen=True)
class Stage:
    """The identity of a stage: its kind, what it is about, and everything that determines its output."""

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
class UnfinishedStage:
    """A stage that is being written: the folder to fill, and the counts for its manifest."""

    folder: Path
    counts: dict[str, int] = field(default_factory=dict)


class Store:
    """The finished stages under ``<home>/data``.

    Args:
        home: A folder, or an address such as ``s3://bucket/prefix``.
    """

    def __init__(self, home: str | Path) -> None:
        self.home = remote.local_folder(home)

    def get_or_write(self, stage: Stage, write: Callable[[Path], dict[str, int]]) -> Reference:
        """Return a finished stage, computing it only if it does not exist yet.

        Args:
            stage: The identity of the stage.
            write: Writes the stage's files into the folder that it is called with, and returns the counts.

        Raises:
            StoreError: The counts do not add up, or the store cannot be read or written.
        """
        if (found := self.find(stage)) is not None:
            return found
        with self.write(stage) as unfinished:
            unfinished.counts.update(write(unfinished.folder))
        written = self.find(stage)
        if written is None:
            raise StoreError(f"{self._folder(stage)} was removed or damaged while it was written: try again")
        return written

    def find(self, stage: Stage) -> Reference | None:
        """Return a finished stage, or ``None``.

        A local stage of which any byte has changed is quarantined, and does not exist any more.

        Args:
            stage: The identity of the stage.

        Raises:
            StoreError: The manifest at an address is unreadable.
        """
        folder = self._folder(stage)
        if remote.is_remote(folder) or not (folder / MANIFEST).is_file():
            return read_reference(folder)
        try:
            check_files(folder, [])
            return read_reference(folder)
        except StoreError as error:
            quarantine_folder(folder, error)
            return None

    @contextmanager
    def write(self, stage: Stage) -> Iterator[UnfinishedStage]:
        """Yield a folder to fill, which becomes the stage when the block ends without an error.

        The first of two writers of the same stage wins, and the second discards its files.

        Args:
            stage: The identity of the stage.
        """
        folder = self._folder(stage)
        # A folder without a manifest does not exist, so it may be replaced.
        with atomic_folder(folder, keep_existing=has_manifest) as temporary:
            remove_abandoned_folders(folder.parent)
            unfinished = UnfinishedStage(temporary)
            yield unfinished
            write_manifest(temporary, stage, unfinished.counts)
            remote.push_folder(temporary, folder)

    def _folder(self, stage: Stage) -> Path:
        return self.home / "data" / f"{stage.kind}-{stage.name}-{stage.fingerprint}"


def has_manifest(folder: Path) -> bool:
    """Whether a folder of this machine has a manifest, and so is finished."""
    return (folder / MANIFEST).is_file()


def write_manifest(folder: Path, stage: Stage, counts: dict[str, int]) -> None:
    """Write the manifest of a stage.

    Args:
        folder: The folder with all files of the stage.
        stage: The identity of the stage.
        counts: What the stage counted. With ``rows_in`` there must be ``rows_out`` and ``rejects`` too.

    Raises:
        StoreError: The rows that went in are not those that came out plus those that were rejected.
    """
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
    """Return the reference of a finished folder, or ``None`` if it has no manifest.

    Args:
        folder: The folder, or the cache folder of an address.

    Raises:
        StoreError: The manifest is damaged.
    """
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
        raise StoreError(f"{place} is damaged ({error}): remove the folder to have it rebuilt") from error
