"""Addresses: a home on an object store, worked on in a local folder.

Everything works on local paths. A home that is an address (``s3://bucket/prefix``, any that fsspec
reads) has a cache folder on each machine, ``$METAMAPPING_CACHE/addresses/s3/bucket/prefix`` (else under
``~/.cache/metamapping``), and each path inside stands for an object or a folder at the address. What
stands at the address is true, the cache is only a copy: it may be empty, or be deleted at any time.

Object stores rename nothing, so a folder is uploaded file by file and its manifest last: until then it
does not exist. The first manifest stands; it is written only where there is none. A file's object is
named after its content (``part-00000.0123456789abcdef.parquet``), so two writers of one folder never
touch each other's; only what is published keeps its plain names, for others to read. What is fetched is
held against the manifest's checksums before anything sees it.

For a path outside of the cache all of these do what a local folder asks for, at no cost.

    folder = local_folder("s3://bucket/home") / "data" / "tokens-bank-0123456789abcdef"
    push_folder(draft, folder)
    pull_folder(folder)
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from metamapping.config.addresses import check_address
from metamapping.errors import ConfigError, StoreError
from metamapping.storage.bounded_json import MAX_JSON_BYTES
from metamapping.storage.manifest import (
    MANIFEST,
    files_of,
    fingerprint_file,
    unsealed,
    write_bytes,
)

_log = logging.getLogger(__name__)
_DRAFT_SECONDS = 24 * 3600
_PROBE = ".can-be-written"
_EXTRAS = {"s3": "pip install 'metamapping[s3]'"}


def local_folder(place: str | Path) -> Path:
    """The folder of a place: itself, or the cache folder of an address. Raises ``ConfigError``."""
    text = str(place)
    if "://" not in text:
        return Path(place)
    check_address(text)
    parts = urlsplit(text)
    if parts.scheme == "file":
        return Path(parts.path)
    return _cache() / parts.scheme / parts.netloc / parts.path.strip("/")


def place_of(path: Path) -> str:
    """The name of a path for other machines: its address where it is in the cache of one."""
    try:
        scheme, *rest = path.relative_to(_cache()).parts
    except ValueError:
        return str(path)
    return f"{scheme}://{'/'.join(rest)}"


def check_writable(home: str | Path) -> None:
    """Refuse, before anything runs, an address that this machine cannot write to, with a tiny object.

    Raises ``ConfigError`` where a package is missing, ``StoreError`` where the store says no.
    """
    folder = local_folder(home)
    address = _address(folder)
    if address is not None:
        write_file(folder / _PROBE, b"")
        with _told(address):
            file_system, key = _open(f"{address}/{_PROBE}")
            file_system.rm_file(key)


def open_folder(place: str | Path) -> Path:
    """A finished folder with its files on this machine, fetched where it lies at an address.

    Raises ``StoreError`` where a file is not as it was written.
    """
    folder = local_folder(place)
    pull_folder(folder)
    return folder


def read_file(path: Path) -> bytes | None:
    """The bytes of a file of JSON, or ``None`` where there is none; of one too large only the first."""
    address = _address(path)
    if address is not None:
        return _read(address)
    try:
        with path.open("rb") as file:
            return file.read(MAX_JSON_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # a folder of that name, or links in a circle
        raise StoreError(f"{path} cannot be read ({error.strerror}): see what stands there") from error


def write_file(path: Path, data: bytes) -> None:
    """Write a file whole, or not at all."""
    address = _address(path)
    if address is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
        return
    with _told(address):
        file_system, key = _open(address)
        file_system.pipe_file(key, data)


def modified_at(path: Path) -> float:
    """When a file was written, in seconds since the epoch."""
    address = _address(path)
    if address is None:
        return path.stat().st_mtime
    with _told(address):
        file_system, key = _open(address)
        file_system.invalidate_cache()
        return float(file_system.modified(key).timestamp())


def read_member(folder: Path, name: str) -> bytes | None:
    """One file of a folder, without fetching the others; ``None`` where there is no such folder."""
    address = _address(folder)
    stands = read_file(folder / MANIFEST)
    if stands is None:
        return None
    if address is None or _is_current(folder, stands):
        checksum = files_of(unsealed(stands, folder / MANIFEST), folder / MANIFEST).get(name)
        data = (folder / name).read_bytes() if (folder / name).is_file() else None
        if checksum is not None and (data is None or _checksum(data) != checksum):
            raise _not_as_written(str(folder / name))
        return data
    manifest = unsealed(stands, f"{address}/{MANIFEST}")
    checksum = files_of(manifest, f"{address}/{MANIFEST}").get(name)
    if checksum is None:
        return None
    object_name = f"{address}/{_object_name(manifest, name, checksum)}"
    data = _read(object_name)
    if data is None or _checksum(data) != checksum:
        raise _not_as_written(object_name)
    return data


def push_folder(draft: Path, final: Path) -> None:
    """Upload a finished draft as ``final``, its manifest last; where there is one, that one stands."""
    address = _address(final)
    if address is None or _read(f"{address}/{MANIFEST}") is not None:
        return
    data = (draft / MANIFEST).read_bytes()
    manifest = unsealed(data, draft / MANIFEST)
    files = files_of(manifest, draft / MANIFEST)
    with _told(address):
        file_system, key = _open(address)
        objects = [f"{key}/{_object_name(manifest, name, checksum)}" for name, checksum in files.items()]
        file_system.put([str(draft / name) for name in files], objects)
        try:
            file_system.pipe_file(f"{key}/{MANIFEST}", data, mode="create")
        except OSError:  # another writer came first, or the store refuses
            if not file_system.exists(f"{key}/{MANIFEST}"):
                raise


def pull_folder(folder: Path) -> None:
    """Bring a folder here as it stands at its address, held against its checksums, or drop it.

    Raises ``StoreError`` with the name of the object that is not as it was written.
    """
    address = _address(folder)
    if address is None:
        return
    data = _read(f"{address}/{MANIFEST}")
    if _is_current(folder, data):
        return
    if data is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    manifest = unsealed(data, f"{address}/{MANIFEST}")
    files = files_of(manifest, f"{address}/{MANIFEST}")
    draft = folder.parent / f".draft-{folder.name}-{uuid.uuid4().hex[:8]}"
    draft.mkdir(parents=True)
    try:
        with _told(address):
            file_system, key = _open(address)
            for name, checksum in files.items():
                object_name = _object_name(manifest, name, checksum)
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                try:
                    file_system.get_file(f"{key}/{object_name}", str(draft / name))
                except FileNotFoundError:
                    raise _not_as_written(f"{address}/{object_name}") from None
                if fingerprint_file(draft / name) != checksum:
                    raise _not_as_written(f"{address}/{object_name}")
        write_bytes(draft / MANIFEST, data)
        _put_in_place(draft, folder, data)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def list_folders(folder: Path) -> list[Path]:
    """The finished folders directly inside of a folder."""
    address = _address(folder)
    if address is None:
        return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))
    with _told(address):
        file_system, key = _open(address)
        file_system.invalidate_cache()
        found = [PurePosixPath(str(each)).relative_to(key).parts for each in file_system.find(key)]
    return sorted(folder / parts[0] for parts in found if len(parts) == 2 and parts[1] == MANIFEST)


def share_folder(folder: Path) -> None:
    """Copy a folder's files to its address as they are now, if they can be: nothing depends on them."""
    address = _address(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if address is None or not files:
        return
    try:
        with _told(address):
            file_system, key = _open(address)
            objects = [f"{key}/{path.relative_to(folder).as_posix()}" for path in files]
            file_system.put([str(path) for path in files], objects)
    except StoreError as error:
        _log.warning("%s", error)


def remove_folder(folder: Path) -> None:
    """Remove a folder, if it is there: nobody sees it half. At its address manifests go first."""
    address = _address(folder)
    if address is not None:
        with _told(address):
            file_system, key = _open(address)
            file_system.invalidate_cache()
            found = [str(each) for each in file_system.find(key)]
            for each in sorted(found, key=lambda each: not each.endswith(f"/{MANIFEST}")):
                file_system.rm_file(each)
    removed = folder.with_name(f".removed-{folder.name}-{uuid.uuid4().hex[:8]}")
    with suppress(FileNotFoundError, NotADirectoryError):
        folder.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)


def replace_folder(draft: Path, final: Path) -> None:
    """Put a finished draft in the place of a folder of this machine: nobody sees either half."""
    old = final.with_name(f".removed-{final.name}-{uuid.uuid4().hex[:8]}")
    with suppress(FileNotFoundError):
        final.rename(old)
    draft.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def set_aside(folder: Path, why: Exception) -> None:
    """Give a damaged folder of this machine a name that says so and that nobody reads, and tell."""
    aside = folder.with_name(f".damaged-{folder.name}-{uuid.uuid4().hex[:8]}")
    with suppress(FileNotFoundError):  # another process was faster
        folder.rename(aside)
        _log.warning("%s. It is set aside as %s and made again.", why, aside)


def remove_old_drafts(folder: Path) -> None:
    """Remove what killed processes left of their drafts in a folder, a day after they last wrote."""
    for draft in [*folder.glob(".draft-*"), *folder.glob(".removed-*")]:
        with suppress(OSError):
            written = max(path.stat().st_mtime for path in [draft, *draft.rglob("*")])
            if time.time() - written > _DRAFT_SECONDS:
                shutil.rmtree(draft, ignore_errors=True)


def _cache() -> Path:
    return _resolved(os.environ.get("METAMAPPING_CACHE") or "~/.cache/metamapping") / "addresses"


@functools.lru_cache
def _resolved(root: str) -> Path:  # asked for several times a file
    return Path(root).expanduser().resolve()


def _address(path: Path) -> str | None:
    place = place_of(path)
    return place if "://" in place else None


def _read(address: str) -> bytes | None:
    with _told(address):
        file_system, key = _open(address)
        try:
            data: bytes = file_system.cat_file(key)
        except FileNotFoundError:
            return None
    return data


def _is_current(folder: Path, data: bytes | None) -> bool:
    """Whether the copy of a folder in the cache is the one that stands at its address."""
    here = folder / MANIFEST
    return data is not None and here.is_file() and here.read_bytes() == data


def _object_name(manifest: dict[str, Any], name: str, checksum: str) -> str:
    if manifest.get("stage") == "published":
        return name
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}.{checksum}{path.suffix}"))


def _put_in_place(draft: Path, folder: Path, data: bytes) -> None:
    try:
        draft.rename(folder)
    except OSError:  # an older copy, or another process of this machine has just fetched the same
        if not _is_current(folder, data):
            aside = draft.with_name(f"{draft.name}-old")
            folder.rename(aside)
            draft.rename(folder)
            shutil.rmtree(aside, ignore_errors=True)


def _checksum(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _not_as_written(object_name: str) -> StoreError:
    return StoreError(
        f"{object_name} is missing or not as it was written: remove its folder to have it made again, or "
        "bring back the object"
    )


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Whatever a store's client raises, as one sentence."""
    try:
        yield
    except (ConfigError, StoreError):
        raise
    except Exception as error:
        raise StoreError(
            f"{address} cannot be read or written ({type(error).__name__}: {error}): check the connection, "
            "and the credentials in the environment or in fsspec's configuration"
        ) from error


def _open(address: str) -> tuple[Any, str]:
    """The file system of an address, and the address as that names it."""
    scheme, _, rest = address.partition("://")
    file_system = _file_system(scheme)
    return file_system, f"/{rest}" if scheme == "memory" else rest


def _file_system(scheme: str) -> Any:
    import fsspec

    try:
        return fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError as error:
        raise ConfigError(
            f"addresses {scheme}://… need another package ({error}): install it, "
            f"{_EXTRAS.get(scheme, 'as fsspec names it')}"
        ) from error
    except ValueError as error:
        raise ConfigError(
            f"there is no storage of the protocol {scheme!r} that fsspec knows: {error}"
        ) from error
