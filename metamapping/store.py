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

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

MANIFEST = "manifest.json"


class StoreError(RuntimeError):
    """Something in the store is not as it was written; the message names the file."""


class Reference(BaseModel):
    """What travels between Prefect tasks instead of data: where a finished stage lies."""

    model_config = ConfigDict(frozen=True)

    stage: str
    name: str
    fingerprint: str
    path: str
    counts: dict[str, int]


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
    """Finished stages under ``<home>/data``."""

    def __init__(self, home: str | Path) -> None:
        self.home = Path(home)

    def find(self, stage: Stage) -> Reference | None:
        """The finished stage, or ``None``. Raises ``StoreError`` on an unreadable manifest."""
        return read_reference(self._folder(stage))

    @contextmanager
    def write(self, stage: Stage) -> Iterator[Draft]:
        """A folder to fill; it becomes the stage when the block ends without an error."""
        final = self._folder(stage)
        draft = Draft(final.parent / f".draft-{final.name}-{uuid.uuid4().hex[:8]}")
        draft.folder.mkdir(parents=True)
        try:
            yield draft
            write_manifest(draft.folder, stage, draft.counts)
            publish_folder(draft.folder, final)
        finally:
            shutil.rmtree(draft.folder, ignore_errors=True)

    def _folder(self, stage: Stage) -> Path:
        return self.home / "data" / f"{stage.kind}-{stage.name}-{stage.fingerprint}"


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits that change when ``value`` (plain JSON values) changes."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def fingerprint_file(path: str | Path) -> str:
    """16 hexadecimal digits over a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def write_manifest(folder: Path, stage: Stage, counts: dict[str, int]) -> None:
    """Write ``manifest.json``; rows in must be rows out plus rejects where they are counted."""
    if "rows_in" in counts:
        lost = counts["rows_in"] - counts["rows_out"] - counts["rejects"]
        if lost:
            raise StoreError(f"{stage.kind} {stage.name}: {lost} rows are neither out nor rejected")
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    manifest = {
        "stage": stage.kind,
        "name": stage.name,
        "version": stage.version,
        "fingerprint": stage.fingerprint,
        "upstream": list(stage.upstream),
        "settings": stage.settings,
        "counts": counts,
        "files": {
            str(p.relative_to(folder)): {"bytes": p.stat().st_size, "blake2b": fingerprint_file(p)}
            for p in files
        },
    }
    write_json(folder / MANIFEST, manifest)


def read_reference(folder: Path) -> Reference | None:
    """The reference of a finished folder, or ``None`` where no manifest stands."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return Reference(
            stage=manifest["stage"],
            name=manifest["name"],
            fingerprint=manifest["fingerprint"],
            path=str(folder),
            counts=manifest["counts"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error}): remove the folder to have it made again") from error


def check_files(folder: Path, required: Sequence[str]) -> None:
    """Refuse a folder of which a file is missing or not as its manifest says. Raises ``StoreError``."""
    path = folder / MANIFEST
    try:
        files = {name: entry["blake2b"] for name, entry in json.loads(path.read_bytes())["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path} is damaged ({error}): copy or write the folder again") from error
    for name in {*required, *files}:
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise StoreError(f"{path} names {name!r}, which is outside of the folder")
        if not (folder / name).is_file() or fingerprint_file(folder / name) != files.get(name):
            raise StoreError(f"{folder / name} is missing or not as it was written: copy or write it again")


def write_json(path: Path, value: Any) -> None:
    """Write JSON under a temporary name, flush it to the disk, then rename it."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def publish_folder(draft: Path, final: Path) -> None:
    """Rename a finished folder into place; the first of two writers of the same stage wins."""
    try:
        draft.rename(final)
    except OSError:
        if read_reference(final) is None:
            # Something without a manifest is in the way: it does not exist, so it may go.
            shutil.rmtree(final)
            draft.rename(final)
