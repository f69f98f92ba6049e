"""Manifest: lists the files of a finished folder with their checksums; it is written last.

A folder without ``manifest.json`` does not exist for any reader. The manifest also holds a checksum of
itself, under ``blake2b``, so that no bit of a folder can change unnoticed.

    write_manifest(folder, {"stage": "clean", "counts": {}})
    check_files(folder, ["part-00000.parquet"])
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from metamapping.errors import StoreError
from metamapping.storage.bounded_json import MAX_JSON_BYTES, parse_json

MANIFEST = "manifest.json"
CHECKSUM = "blake2b"

# A file from here on takes some hundredths of a second: more than a thread costs.
_LARGE_BYTES = 8_000_000


def fingerprint(value: Any) -> str:
    """Hash plain JSON values.

    Args:
        value: Anything that ``json.dumps`` accepts. The order of an object's keys has no influence.

    Returns:
        16 hexadecimal digits.
    """
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return fingerprint_bytes(text.encode())


def fingerprint_bytes(data: bytes) -> str:
    """Hash bytes to 16 hexadecimal digits (BLAKE2b)."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def fingerprint_file(path: str | Path) -> str:
    """Hash the bytes of a file to 16 hexadecimal digits (BLAKE2b)."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


def sealed(value: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of an object that includes its own checksum under ``blake2b``.

    Args:
        value: A JSON object without the key ``blake2b``.
    """
    return {**value, CHECKSUM: fingerprint(value)}


def unsealed(data: bytes, place: str | Path) -> dict[str, Any]:
    """Parse a JSON object and verify it against its own checksum, if it has one.

    Args:
        data: The JSON text.
        place: Where it was read from, for error messages.

    Returns:
        The object without its checksum.

    Raises:
        StoreError: The text is not a JSON object, or does not match its checksum.
    """
    try:
        value = parse_json(data)
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")
        checksum = value.pop(CHECKSUM, None)
        if checksum is not None and checksum != fingerprint(value):
            raise ValueError("it does not match its own checksum")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(
            f"{place} is damaged ({error}): restore it from a copy, or remove it to have it rebuilt"
        ) from error
    return value


def write_manifest(folder: Path, about: dict[str, Any]) -> None:
    """Write ``manifest.json`` for all files that are in a folder now.

    Args:
        folder: The finished folder.
        about: Further content of the manifest, as plain JSON values.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    entries = {
        p.relative_to(folder).as_posix(): {"bytes": p.stat().st_size, CHECKSUM: fingerprint_file(p)}
        for p in files
    }
    write_json(folder / MANIFEST, sealed({**about, "files": entries}))


def files_of(manifest: dict[str, Any], place: str | Path) -> dict[str, str]:
    """Return the checksum of each file that a manifest lists.

    Args:
        manifest: The parsed manifest, which may come from an untrusted source.
        place: Where it was read from, for error messages.

    Returns:
        Checksums by path, relative to the folder and separated by ``/``.

    Raises:
        StoreError: The list is malformed, or a path leads out of the folder.
    """
    try:
        files = {str(name): str(entry[CHECKSUM]) for name, entry in manifest["files"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{place} is damaged ({error}): copy or write the folder again") from error
    for name in files:
        if not name or "\0" in name or ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise StoreError(f"{place} names {name!r:.200}, which is outside of the folder")
    return files


def check_files(folder: Path, required: Sequence[str]) -> None:
    """Verify every file of a folder against the manifest.

    Args:
        folder: A folder of this machine.
        required: Files that the manifest must list.

    Raises:
        StoreError: The manifest or a file is missing, damaged, or a link to outside of the folder.
    """
    with checking_files(folder, required):
        pass


@contextmanager
def checking_files(folder: Path, required: Sequence[str]) -> Iterator[None]:
    """Verify every file of a folder, the large ones while the block runs.

    What the block makes of a large file may be wrong, and is lost if the file is found to be damaged: the
    error about that comes instead of any error of the block.

    Args:
        folder: As for ``check_files``.
        required: As for ``check_files``.

    Yields:
        Nothing, after all small files were verified.

    Raises:
        StoreError: As for ``check_files``.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise StoreError(f"{folder} is missing or incomplete: it has no {MANIFEST}; write it again")
    with path.open("rb") as file:
        files = files_of(unsealed(file.read(MAX_JSON_BYTES + 1), path), path)
    large = []
    for name in {*required, *files}:
        if not lies_inside(folder, name):
            raise StoreError(f"{folder / name} is a link out of the folder: replace it by its target")
        if (folder / name).is_file() and (folder / name).stat().st_size > _LARGE_BYTES:
            large.append(name)
        else:
            _check_file(folder, name, files.get(name))
    if not large:
        yield
        return

    def check_large() -> None:
        for name in large:
            _check_file(folder, name, files.get(name))

    with ThreadPoolExecutor(1, "checksums") as thread:
        checked = thread.submit(check_large)
        try:
            yield
        finally:
            checked.result()


def _check_file(folder: Path, name: str, checksum: str | None) -> None:
    if not (folder / name).is_file() or fingerprint_file(folder / name) != checksum:
        raise StoreError(f"{folder / name} is missing or not as it was written: copy or write it again")


def lies_inside(folder: Path, name: str) -> bool:
    """Whether a file lies in its folder after all links are resolved.

    Links of the Hugging Face hub's cache count as inside: it stores files in ``blobs``, next to
    ``snapshots``, and links to them.

    Args:
        folder: The folder.
        name: The file's path within the folder; the file need not exist.

    Returns:
        False also if the links cannot be resolved.
    """
    try:
        root, target = folder.resolve(), (folder / name).resolve()
    except (OSError, RuntimeError):  # a cycle of links, or a name that is too long
        return False
    in_hub_cache = root.parent.name == "snapshots" and target.parent == root.parent.parent / "blobs"
    return target.is_relative_to(root) or in_hub_cache


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, as ``write_bytes`` does.

    Args:
        path: The file, in an existing folder.
        value: A JSON value.
    """
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, then rename it to ``path``.

    Args:
        path: The file, in an existing folder.
        data: Its whole content.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
