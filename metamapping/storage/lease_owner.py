"""The owner of a lease at an address: which process of whom, on which machine, and since when.

owner = Owner.this_process(machine_id(locks))
print(owner)                  # process 4711 of anna on build-7, since 2026-11-29 15:20:00 UTC
"""

from __future__ import annotations

import getpass
import os
import socket
import uuid
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from metamapping.storage.local_place import LocalPlace
from metamapping.storage.manifest import fingerprint

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MACHINE_FILE = "machine.json"


class Owner(BaseModel):
    """Who owns a lease, as it is written into the lease's object.

    Attributes:
        machine: Equal for two owners only if the second can be sure that the first has ended.
        host: Name of the machine.
        user: Name of the user.
        process: Number of the process.
        since: When the lease was taken, by the clock of the owner.
        token: Unique for each lease.
        renewals: How often the object was written again, so that its content changes.
        is_released: Whether the owner has given the lease back.
    """

    model_config = ConfigDict(frozen=True)

    machine: str
    host: str
    user: str
    process: int
    since: datetime
    token: str
    renewals: int = 0
    is_released: bool = False

    def __str__(self) -> str:
        return (
            f"process {self.process} of {self.user} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"
        )

    @classmethod
    def this_process(cls, machine: str) -> Owner:
        """Return this process as the owner of a lease.

        Args:
            machine: What the attribute of that name becomes.
        """
        try:
            user = getpass.getuser()
        except (OSError, KeyError, ImportError):  # a container without an entry for its user
            user = "an unknown user"
        return cls(
            machine=machine,
            host=socket.gethostname(),
            user=user,
            process=os.getpid(),
            since=datetime.now(UTC).replace(microsecond=0),
            token=uuid.uuid4().hex,
        )

    @property
    def data(self) -> bytes:
        """The content of the lease's object."""
        return f"{self.model_dump_json(indent=1)}\n".encode()


def machine_id(locks: Path) -> str:
    """Return what tells this machine's lock files from those of all others.

    A process that holds a lock file knows that no other process of the same id does.

    Args:
        locks: The folder of this machine with the lock files.

    Returns:
        A hash over a random value in this folder, the host, and the start of the system, since the image of a
        machine may be copied together with the folder.
    """
    place = LocalPlace(locks / _MACHINE_FILE)
    place.create(f'"{uuid.uuid4().hex}"\n'.encode())
    stored = (place.read() or b"").decode(errors="replace")
    boot = _BOOT_ID.read_text() if _BOOT_ID.is_file() else ""
    return fingerprint([stored, socket.gethostname(), boot])
