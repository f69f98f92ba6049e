"""Manifest: what a finished folder holds, written last, with a checksum of every file.

A folder without ``manifest.json`` does not exist. The manifest carries a checksum of itself too, under
``blake2b``, so that no bit of a folder can change unseen.

    write_manifest(folder, {"stage": "clean", "counts": {}})
    check_files(folder, ["part-00000.parquet"])
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from metamapping.errors import StoreError
from metamapping.storage.bounded_json import MAX_JSON_BYTES, parse_json

MANIFEST = "manifest.json"
CHECKSUM = "blake2b"


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits that change when ``value`` (plain JSON values) changes."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def fingerprint_file(path: str | Path) -> str:
    """16 hexadecimal digits over a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """The same value with its own checksum under ``blake2b``."""
    return {**value, CHECKSUM: fingerprint(value)}


def unsealed(data: bytes, place: str | Path) -> dict[str, Any]:
    """A JSON object without its checksum, after it was held against it where it has one.

    Raises ``StoreError`` with the ``place`` where the bytes came from.
    """
    try:
        value = parse_json(data)
        if not isinstance(value, dict):
            raise ValueError("it holds no object")
        checksum = value.pop(CHECKSUM, None)
        if checksum is not None and checksum != fingerprint(value):
            raise ValueError("its checksum says that it was written otherwise")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{place} is damaged ({error}): bring it back, or remove it to have it made again"
        ) from error
    return value


def write_manifest(folder: Path, about: dict[str, Any]) -> None:
    """Write ``manifest.json``: what the folder is ``about``, and every file with its checksum."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    entries = {
        p.relative_to(folder).as_posix(): {"bytes": p.stat().st_size, CHECKSUM: fingerprint_file(p)}
        for p in files
    }
    write_json(folder / MANIFEST, sealed({**about, "files": entries}))


def files_of(manifest: dict[str, Any], place: str | Path) -> dict[str, str]:
    """The checksum of each file that a manifest names. Raises ``StoreError``."""
    try:
        files = {str(name): str(entry[CHECKSUM]) for name, entry in manifest["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{place} is damaged ({error}): copy or write the folder again") from error
    for name in files:
        if not name or "\0" in name or ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise StoreError(f"{place} names {name!r:.200}, which is outside of the folder")
    return files


def check_files(folder: Path, required: Sequence[str]) -> None:
    """Refuse a folder of which a file is missing or not as its manifest says. Raises ``StoreError``."""
    path = folder / MANIFEST
    if not path.is_file():
        raise StoreError(f"{folder} is not whole or not there: it has no {MANIFEST}; make it again")
    with path.open("rb") as file:
        files = files_of(unsealed(file.read(MAX_JSON_BYTES + 1), path), path)
    for name in {*required, *files}:
        if not lies_inside(folder, name):
            raise StoreError(f"{folder / name} is a link out of the folder: copy what it means into it")
        if not (folder / name).is_file() or fingerprint_file(folder / name) != files.get(name):
            raise StoreError(f"{folder / name} is missing or not as it was written: copy or write it again")


def lies_inside(folder: Path, name: str) -> bool:
    """Whether a file is in its folder wherever links lead.

    The Hugging Face hub's cache keeps files as links to `blobs`, beside its snapshots: they are let be.
    """
    try:
        home, place = folder.resolve(), (folder / name).resolve()
    except (OSError, RuntimeError):  # links in a circle, or a name that is too long
        return False
    in_cache = home.parent.name == "snapshots" and place.parent == home.parent.parent / "blobs"
    return place.is_relative_to(home) or in_cache


def write_json(path: Path, value: Any) -> None:
    """Write JSON under a temporary name, flush it to the disk, then rename it."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, then rename it."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
