"""Remote: homes at an address of an object store, used through paths of this machine.

All code works on local paths. A home at an address (``s3://bucket/prefix``, or any other that fsspec reads)
has a cache folder on each machine, ``$METAMAPPING_CACHE/addresses/s3/bucket/prefix`` (by default under
``~/.cache/metamapping``), and a path in it represents the object or folder at the address. The cache is only
a copy: it may be empty, and may be deleted at any time.

Each function here takes a path and passes the call to one of two backends: ``RemotePlace`` for paths in
the cache, ``LocalPlace`` for all others.

    folder = local_folder("s3://bucket/home") / "data" / "tokens-bank-0123456789abcdef"
    push_folder(finished, folder)
    pull_folder(folder)
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from urllib.parse import urlsplit

from metamapping.config.addresses import check_address
from metamapping.storage import leases
from metamapping.storage.local_place import LocalPlace
from metamapping.storage.manifest import MANIFEST
from metamapping.storage.place import Place
from metamapping.storage.remote_place import RemotePlace


def local_folder(place: str | Path) -> Path:
    """Return the folder of this machine for a folder or an address.

    Args:
        place: A path, ``file://`` and a path, or an address.

    Returns:
        The path itself, or the cache folder of the address.

    Raises:
        ConfigError: The address is malformed, read-only, or contains credentials.
    """
    text = str(place)
    if "://" not in text:
        return Path(place)
    check_address(text)
    parts = urlsplit(text)
    if parts.scheme == "file":
        return Path(parts.path)
    return _cache() / parts.scheme / parts.netloc / parts.path.strip("/")


def machine_folder(home: str | Path) -> Path:
    """Return the folder of this machine for files of a home that are never uploaded.

    Args:
        home: A folder or an address.

    Returns:
        The home itself if it is a folder; for an address a folder in this machine's cache.
    """
    folder = local_folder(home)
    return _cache().with_name("machine") / folder.relative_to(_cache()) if is_remote(folder) else folder


def place_of(path: Path) -> str:
    """Return the location of a path for other machines.

    Args:
        path: A path on this machine.

    Returns:
        The address, if the path is in the cache of one; otherwise the path itself.
    """
    try:
        scheme, *rest = path.relative_to(_cache()).parts
    except ValueError:
        return str(path)
    return f"{scheme}://{'/'.join(rest)}"


def is_remote(path: Path) -> bool:
    """Whether a path is in the cache, and so represents an address."""
    return "://" in place_of(path)


def check_writable(home: str | Path) -> None:
    """Check that this machine can write to a home at an address, by writing a tiny object.

    Args:
        home: A folder or an address.

    Raises:
        ConfigError: A package for this protocol is not installed.
        StoreError: The store refuses the request.
    """
    _place(local_folder(home)).check_writable()


def open_folder(place: str | Path) -> Path:
    """Return a finished folder of this machine, downloaded if it is at an address.

    Args:
        place: A folder or an address.

    Raises:
        StoreError: A downloaded file does not match the manifest.
    """
    folder = local_folder(place)
    pull_folder(folder)
    return folder


def read_file(path: Path) -> bytes | None:
    """Return the bytes of a JSON file, or ``None`` if it is missing.

    Args:
        path: The file's path on this machine, which may be in the cache of an address.

    Raises:
        StoreError: The file cannot be read.
    """
    return _place(path).read()


def write_file(path: Path, data: bytes) -> None:
    """Write a file atomically.

    Args:
        path: The file's path on this machine, which may be in the cache of an address.
        data: Its whole content.

    Raises:
        StoreError: The store cannot be written, or another process has taken over this run.
    """
    leases.check(path)
    _place(path).write(data)


def create_file(path: Path, data: bytes) -> bool:
    """Write a file atomically, unless it exists: of several writers exactly one succeeds.

    Args:
        path: The file's path on this machine, which may be in the cache of an address.
        data: Its whole content, which must differ from what any other writer writes.

    Returns:
        Whether this call has written it.

    Raises:
        StoreError: The store cannot be written.
    """
    leases.check(path)
    return _place(path).create(data)


def modified_at(path: Path) -> float:
    """Return when a file was last written, in seconds since the epoch.

    Args:
        path: The file's path on this machine, which may be in the cache of an address.
    """
    return _place(path).modified_at()


def read_member(folder: Path, name: str) -> bytes | None:
    """Return one file of a finished folder without downloading the others.

    Args:
        folder: The folder.
        name: The file's path within the folder.

    Returns:
        The bytes, or ``None`` if the folder or the file does not exist.

    Raises:
        StoreError: The file does not match the manifest.
    """
    return _place(folder).read_member(name)


def push_folder(finished: Path, folder: Path) -> None:
    """Upload a finished folder, its manifest last, if ``folder`` is at an address.

    Args:
        finished: A folder of this machine with a manifest.
        folder: What it becomes. If the address has a manifest already, nothing is changed.
    """
    leases.check(folder)
    _place(folder).push(finished)


def pull_folder(folder: Path) -> None:
    """Bring the copy of a folder at an address up to date; remove it if the address has none.

    Args:
        folder: A folder of this machine; nothing happens unless it is in the cache of an address.

    Raises:
        StoreError: An object does not match the manifest; the message names it.
    """
    _place(folder).pull()


def share_folder(folder: Path) -> None:
    """Upload a folder's files as they are now, for others to read while the work continues.

    A failure is only logged, because no stage depends on these files.

    Args:
        folder: A folder of this machine; nothing happens unless it is in the cache of an address.
    """
    _place(folder).share()


def list_folders(folder: Path, marker: str = MANIFEST) -> list[Path]:
    """List the finished folders directly inside a folder.

    Args:
        folder: The folder that contains them.
        marker: The file that makes a folder a finished one, such as ``run.json`` for runs.

    Returns:
        Their paths on this machine, sorted by name; those at an address need not be downloaded yet.
    """
    return _place(folder).list_folders(marker)


def list_files(folder: Path) -> list[str]:
    """List the files directly inside a folder, which need not exist.

    Args:
        folder: The folder's path on this machine, which may be in the cache of an address.

    Returns:
        Their names, sorted; without those that begin with a dot.
    """
    return _place(folder).list_files()


def remove_folder(folder: Path) -> None:
    """Remove a folder, if it exists, at its address too. No reader sees a part of it.

    Args:
        folder: The folder's path on this machine, which may be in the cache of an address.
    """
    leases.check(folder)
    _place(folder).remove()


def remote_place(path: Path) -> RemotePlace | None:
    """Return the address that a path represents, or ``None`` for a path of this machine.

    Args:
        path: A path on this machine, which may be in the cache of an address.
    """
    name = place_of(path)
    return RemotePlace(path, name) if "://" in name else None


def _place(path: Path) -> Place:
    return remote_place(path) or LocalPlace(path)


def _cache() -> Path:
    return _resolved(os.environ.get("METAMAPPING_CACHE") or "~/.cache/metamapping") / "addresses"


@functools.lru_cache  # This is needed several times for each file.
def _resolved(root: str) -> Path:
    return Path(root).expanduser().resolve()
