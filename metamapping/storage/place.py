"""Place: what a file or folder can do, whether it is on this machine or at an address.

``local_place`` and ``remote_place`` implement it; ``remote`` chooses between them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from metamapping.storage.manifest import MANIFEST


class Place(Protocol):
    """What both backends do with the file or folder of one path."""

    def check_writable(self) -> None:
        """Check that the home can be written to."""

    def read(self) -> bytes | None:
        """Return the bytes of a JSON file."""

    def write(self, data: bytes) -> None:
        """Write a file atomically.

        Args:
            data: Its whole content.
        """

    def create(self, data: bytes) -> bool:
        """Write a file that does not exist yet.

        Args:
            data: Its whole content.

        Returns:
            False if it exists already; it is left as it is.
        """

    def modified_at(self) -> float:
        """Return when a file was last written."""

    def read_member(self, name: str) -> bytes | None:
        """Return one verified file of a folder.

        Args:
            name: The file's path within the folder.

        Returns:
            The bytes, or ``None`` if the folder or the file does not exist.
        """

    def push(self, finished: Path) -> None:
        """Make a finished folder of this machine the content of this place.

        Args:
            finished: A folder of this machine with a manifest.
        """

    def pull(self) -> None:
        """Bring the copy of this machine up to date."""

    def share(self) -> None:
        """Make the files of a folder visible to other machines as they are now."""

    def list_folders(self, marker: str = MANIFEST) -> list[Path]:
        """Return the finished folders directly inside of a folder.

        Args:
            marker: The file that every finished folder has.
        """

    def list_files(self) -> list[str]:
        """Return the names of the files directly inside of a folder."""

    def remove(self) -> None:
        """Remove a folder."""
