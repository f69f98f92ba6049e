"""Remote place: a file or folder of an object store, with a copy in this machine's cache.

Object stores cannot rename, so a folder is uploaded file by file and its manifest last: until then the
folder does not exist. The first manifest wins, because it is only written where there is none. An
object's name contains the checksum of its content (``part-00000.0123456789abcdef.parquet``), so two
writers of one folder never overwrite each other's objects. Only published folders keep their plain names,
for other programs to read. Whatever is downloaded is verified against the manifest before it is used.

    RemotePlace(cache_folder, "s3://bucket/home/data/tokens-bank-0123456789abcdef").pull()
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from metamapping.errors import ConfigError, StoreError
from metamapping.storage.atomic_folder import atomic_folder, remove_folder
from metamapping.storage.local_place import LocalPlace, damaged
from metamapping.storage.manifest import (
    MANIFEST,
    files_of,
    fingerprint_bytes,
    fingerprint_file,
    unsealed,
    write_bytes,
)

_log = logging.getLogger(__name__)
_PROBE = ".can-be-written"
_EXTRAS = {"s3": "pip install 'metamapping[s3]'"}


@dataclass(frozen=True)
class RemotePlace:
    """An address, and the path of its copy in the cache. The address is authoritative."""

    path: Path
    address: str

    def check_writable(self) -> None:
        """Write a tiny object into the folder and remove it again."""
        probe = self.child(_PROBE)
        probe.write(b"")
        probe.remove_file()

    def read(self) -> bytes | None:
        """Return the bytes of an object, or ``None`` if it is missing."""
        with self._opened() as (file_system, key):
            try:
                data: bytes = file_system.cat_file(key)
            except FileNotFoundError:
                return None
        return data

    def write(self, data: bytes) -> None:
        """Write an object; object stores do this atomically."""
        with self._opened() as (file_system, key):
            file_system.pipe_file(key, data)

    def create(self, data: bytes) -> bool:
        """Write an object, unless it exists."""
        with self._opened() as (file_system, key):
            try:
                file_system.pipe_file(key, data, mode="create")
            except OSError:  # Another writer was faster, or the store refuses the request.
                found = self.read()
                if found is None:
                    raise
                # A client that repeats a request whose answer was lost meets its own object.
                return found == data
        return True

    def remove_file(self) -> None:
        """Remove an object, if it exists."""
        with self._opened() as (file_system, key), suppress(FileNotFoundError):
            file_system.rm_file(key)

    def modified_at(self) -> float:
        """Return when an object was last written, in seconds since the epoch."""
        with self._opened() as (file_system, key):
            file_system.invalidate_cache()
            return float(file_system.modified(key).timestamp())

    def read_member(self, name: str) -> bytes | None:
        """Return one file of a folder, verified against the manifest, without downloading the others."""
        data = self.child(MANIFEST).read()
        if data is None:
            return None
        if self._has_current_copy(data):
            return LocalPlace(self.path).verified_member(name, data)
        manifest, files = self._parsed(data)
        if name not in files:
            return None
        member = self.child(_object_name(manifest, name, files[name]))
        content = member.read()
        if content is None or fingerprint_bytes(content) != files[name]:
            raise damaged(member.address)
        return content

    def push(self, finished: Path) -> None:
        """Upload a finished folder of this machine, its manifest last, unless the address has one."""
        manifest_place = self.child(MANIFEST)
        if manifest_place.read() is not None:
            return
        data = (finished / MANIFEST).read_bytes()
        manifest = unsealed(data, finished / MANIFEST)
        files = files_of(manifest, finished / MANIFEST)
        with self._opened() as (file_system, key):
            objects = [f"{key}/{_object_name(manifest, name, checksum)}" for name, checksum in files.items()]
            file_system.put([str(finished / name) for name in files], objects)
            try:
                file_system.pipe_file(f"{key}/{MANIFEST}", data, mode="create")
            except OSError:  # Another writer was faster, or the store refuses the request.
                if not file_system.exists(f"{key}/{MANIFEST}"):
                    raise

    def pull(self) -> None:
        """Bring the cache's copy up to date; it is removed if the address has no such folder."""
        data = self.child(MANIFEST).read()
        if self._has_current_copy(data):
            return
        if data is None:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        manifest, files = self._parsed(data)
        # Another process of this machine may have downloaded the same folder in the meantime.
        with atomic_folder(self.path, keep_existing=lambda _: self._has_current_copy(data)) as temporary:
            with self._opened() as (file_system, key):
                for name, checksum in files.items():
                    object_name = _object_name(manifest, name, checksum)
                    (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                    try:
                        file_system.get_file(f"{key}/{object_name}", str(temporary / name))
                    except FileNotFoundError:
                        raise damaged(f"{self.address}/{object_name}") from None
                    if fingerprint_file(temporary / name) != checksum:
                        raise damaged(f"{self.address}/{object_name}")
            write_bytes(temporary / MANIFEST, data)

    def share(self) -> None:
        """Upload the files of the cache's copy as they are now; a failure is logged and ignored."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        if not files:
            return
        try:
            with self._opened() as (file_system, key):
                objects = [f"{key}/{path.relative_to(self.path).as_posix()}" for path in files]
                file_system.put([str(path) for path in files], objects)
        except StoreError as error:
            _log.warning("%s", error)

    def list_folders(self, marker: str = MANIFEST) -> list[Path]:
        """Return the cache paths of the finished folders directly inside of a folder."""
        with self._opened() as (file_system, key):
            file_system.invalidate_cache()
            # Runs have hundreds of objects further down.
            paths = file_system.find(key, maxdepth=2)
            found = [PurePosixPath(str(each)).relative_to(key).parts for each in paths]
        return sorted(self.path / parts[0] for parts in found if len(parts) == 2 and parts[1] == marker)

    def list_files(self) -> list[str]:
        """Return the names of the objects directly inside of a folder."""
        with self._opened() as (file_system, key):
            file_system.invalidate_cache()
            found = [PurePosixPath(str(each)).relative_to(key).parts for each in file_system.find(key)]
        return sorted(parts[0] for parts in found if len(parts) == 1 and not parts[0].startswith("."))

    def remove(self) -> None:
        """Remove a folder: its manifests first, then the other objects, then the cache's copy."""
        with self._opened() as (file_system, key):
            file_system.invalidate_cache()
            found = [str(each) for each in file_system.find(key)]
            for each in sorted(found, key=lambda each: not each.endswith(f"/{MANIFEST}")):
                file_system.rm_file(each)
        remove_folder(self.path)

    def child(self, name: str) -> RemotePlace:
        """Return the file or folder of a name inside of this folder.

        Args:
            name: Its name.
        """
        return RemotePlace(self.path / name, f"{self.address}/{name}")

    def _parsed(self, data: bytes) -> tuple[dict[str, Any], dict[str, str]]:
        """The manifest of the folder, and the checksums of its files."""
        place = f"{self.address}/{MANIFEST}"
        manifest = unsealed(data, place)
        return manifest, files_of(manifest, place)

    def _has_current_copy(self, data: bytes | None) -> bool:
        """Whether the cache's copy has the manifest that is at the address."""
        copy = self.path / MANIFEST
        return data is not None and copy.is_file() and copy.read_bytes() == data

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, str]]:
        """The file system and its name for the address; errors of the store's client in one sentence."""
        try:
            yield _file_system(self.address)
        except (ConfigError, StoreError):
            raise
        except Exception as error:
            raise StoreError(
                f"{self.address} cannot be read or written ({type(error).__name__}: {error}): check the "
                "connection, and the credentials in the environment or in fsspec's configuration"
            ) from error


def _file_system(address: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the address as that file system names it."""
    from fsspec.core import url_to_fs

    scheme = address.partition("://")[0]
    if "::" in address:
        # fsspec reads `a::b` as a chain, which would lead from one storage to another.
        raise ConfigError(f"{address!r} chains several storages by `::`: give the address of one")
    try:
        opened: tuple[Any, str] = url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        raise ConfigError(
            f"addresses {scheme}://… need another package ({error}): install it, "
            f"{_EXTRAS.get(scheme, 'by the name that fsspec gives')}"
        ) from error
    except ValueError as error:
        raise ConfigError(f"fsspec knows no storage of the protocol {scheme!r}: {error}") from error
    return opened


def _object_name(manifest: dict[str, Any], name: str, checksum: str) -> str:
    """The name of a file's object: with its checksum, except in published folders."""
    if manifest.get("stage") == "published":
        return name
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}.{checksum}{path.suffix}"))
