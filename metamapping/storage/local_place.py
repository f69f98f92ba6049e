"""Local place: a file or folder of this machine, read and written directly.

It has the same methods as ``RemotePlace``. Nothing has to be copied, so pushing, pulling and sharing do
nothing.

    data = LocalPlace(folder / "rounds.jsonl").read()
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from metamapping.errors import StoreError
from metamapping.storage.atomic_folder import remove_folder
from metamapping.storage.bounded_json import MAX_JSON_BYTES
from metamapping.storage.manifest import MANIFEST, files_of, fingerprint_bytes, unsealed, write_bytes


@dataclass(frozen=True)
class LocalPlace:
    """A path on this machine that is not the cached copy of a remote address."""

    path: Path

    def check_writable(self) -> None:
        """Do nothing: a folder without write permission raises an error when it is written to."""

    def read(self) -> bytes | None:
        """Return the bytes of a JSON file, or ``None`` if it is missing.

        No more than one byte above ``MAX_JSON_BYTES`` is read, which ``parse_json`` then rejects.
        """
        try:
            with self.path.open("rb") as file:
                return file.read(MAX_JSON_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:  # a folder of that name, or a cycle of links
            raise StoreError(
                f"{self.path} cannot be read ({error.strerror}): check what is stored under that name"
            ) from error

    def write(self, data: bytes) -> None:
        """Write a file atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(self.path, data)

    def create(self, data: bytes) -> bool:
        """Write a file, unless it exists; it appears with its whole content, or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}")
        write_bytes(temporary, data)
        try:
            # Unlike a rename, a link is refused where there is something already.
            os.link(temporary, self.path)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def modified_at(self) -> float:
        """Return when a file was last written, in seconds since the epoch."""
        return self.path.stat().st_mtime

    def read_member(self, name: str) -> bytes | None:
        """Return one file of a folder, verified against the manifest.

        Args:
            name: The file's path within the folder.

        Returns:
            The bytes, or ``None`` if the folder has no manifest, or neither a file nor an entry of that
            name.

        Raises:
            StoreError: The file does not match the manifest.
        """
        manifest = self._child(MANIFEST).read()
        return None if manifest is None else self.verified_member(name, manifest)

    def verified_member(self, name: str, manifest: bytes) -> bytes | None:
        """Return one file of a folder, verified against the given bytes of its manifest.

        Args:
            name: The file's path within the folder.
            manifest: The manifest's bytes.

        Returns:
            The bytes, or ``None`` if neither the file nor an entry of that name exists.

        Raises:
            StoreError: The file does not match the manifest.
        """
        path = self.path / name
        checksum = files_of(unsealed(manifest, self.path / MANIFEST), self.path / MANIFEST).get(name)
        data = path.read_bytes() if path.is_file() else None
        if checksum is not None and (data is None or fingerprint_bytes(data) != checksum):
            raise damaged(str(path))
        return data

    def push(self, finished: Path) -> None:
        """Do nothing: the finished folder is renamed."""

    def pull(self) -> None:
        """Do nothing: the folder is here."""

    def share(self) -> None:
        """Do nothing: other processes read the same files."""

    def list_folders(self, marker: str = MANIFEST) -> list[Path]:
        """Return the finished folders directly inside of a folder: those with the file ``marker``."""
        return sorted(path.parent for path in self.path.glob(f"*/{marker}"))

    def list_files(self) -> list[str]:
        """Return the names of the files directly inside of a folder."""
        if not self.path.is_dir():
            return []
        return sorted(
            each.name for each in self.path.iterdir() if each.is_file() and not each.name.startswith(".")
        )

    def remove(self) -> None:
        """Remove a folder."""
        remove_folder(self.path)

    def _child(self, name: str) -> LocalPlace:
        return LocalPlace(self.path / name)


def damaged(name: str) -> StoreError:
    """Return the error for a file or object that does not match its manifest.

    Args:
        name: The path of the file, or the address of the object.
    """
    return StoreError(
        f"{name} is missing or not as it was written: restore it from a copy, or remove its folder to have "
        "it rebuilt"
    )
