"""Leases: which process may write a folder at an address, decided between all machines.

Object stores have no locks, but most create an object only if there is none of its name. A lease is therefore
a folder of numbered objects: who creates the next number owns the lease, and of several who try exactly one
succeeds. The object of the highest number names the owner, who writes it again every few seconds. If it stays
as it is for ``LEASE_SECONDS``, measured by the clock of the one who waits, or says that it is released, the
next number may be created. Of two machines whose clocks differ neither is therefore wrong, and only creating
has to be conditional.

    with hold(home / "locks" / run_id, run_folder, owner, on_wait=print):
        ...                                      # `check(path)` is called before each write below run_folder
"""

from __future__ import annotations

import errno
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import ValidationError

from metamapping.errors import StoreError
from metamapping.storage.lease_owner import Owner
from metamapping.storage.remote_place import RemotePlace

LEASE_SECONDS = 60.0  # a killed owner blocks others for this long
RENEW_SECONDS = 15.0  # three renewals may fail before the lease ends
POLL_SECONDS = 1.0
_DIGITS = 10  # of an object's name, so that the order of names is that of numbers
_UNSUPPORTED = (NotImplementedError, TypeError, ValueError)

_log = logging.getLogger(__name__)
_held: dict[Path, Lease] = {}


class Lease:
    """A lease that this process has taken. Any thread may call its methods.

    Args:
        place: The folder of the lease's objects.
        number: The number that this process has created.
        owner: What it has written.
    """

    def __init__(self, place: RemotePlace, number: int, owner: Owner) -> None:
        self._place, self._number, self._owner = place, number, owner
        self._lock = threading.Lock()
        self._confirmed_at = _seconds()
        self._next_owner: str | None = None

    def renew(self) -> None:
        """Write the lease's object again, if no other process has taken the lease.

        Raises:
            StoreError: The store cannot be read or written.
        """
        with self._lock:
            started_at = _seconds()
            number, data = _latest(self._place)
            if number > self._number:
                self._next_owner = str(_parsed(data) or "another process")
                return
            self._owner = self._owner.model_copy(update={"renewals": self._owner.renewals + 1})
            _object(self._place, self._number).write(self._owner.data)
            self._confirmed_at = started_at

    def check(self) -> None:
        """Make sure that this process may still write.

        Raises:
            StoreError: Another process has taken the lease, or the store does not say.
        """
        # Where renewals were late (the process was suspended, the store did not answer), look before writing.
        if self._next_owner is None and _seconds() - self._confirmed_at > LEASE_SECONDS / 2:
            self.renew()
        if self._next_owner is not None:
            raise StoreError(
                f"{self._place.address}: this process did not renew its lease for {LEASE_SECONDS:.0f} s, and "
                f"{self._next_owner}, has taken over the work: nothing more is written here. Start the same "
                "command again to wait for the other and to use what it has done"
            )

    def release(self) -> None:
        """Let others take the lease at once; a failure is only logged, since the lease ends by itself."""
        with self._lock, _logged(self._place):
            if self._next_owner is None and _latest(self._place)[0] <= self._number:
                released = self._owner.model_copy(update={"is_released": True})
                _object(self._place, self._number).write(released.data)


@contextmanager
def hold(
    lease: RemotePlace, folder: Path, owner: Owner, *, on_wait: Callable[[Owner | None], None]
) -> Iterator[None]:
    """Wait for a lease, and hold it until the end of the block. A block inside of it holds the same lease.

    No other thread of this process may hold or want the lease at the same time.

    Args:
        lease: The folder of the lease's objects.
        folder: The folder that only the owner may write, as a path in this machine's cache.
        owner: This process.
        on_wait: Called with the present owner, or ``None`` if the object cannot be read, before waiting.

    Yields:
        Nothing.

    Raises:
        StoreError: The store cannot be read or written.
    """
    if folder in _held:
        yield
        return
    taken = _take(lease, owner, on_wait)
    done = threading.Event()
    thread = threading.Thread(target=_renew_until, args=(done, taken, lease), name="lease", daemon=True)
    _held[folder] = taken
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        del _held[folder]
        taken.release()


def check(path: Path) -> None:
    """Make sure that a lease of this process which covers a path is still its own.

    Args:
        path: What is to be written, as a path in this machine's cache.

    Raises:
        StoreError: Another process has taken the lease.
    """
    for folder, lease in list(_held.items()):
        if path.is_relative_to(folder):
            lease.check()


def present_owner(lease: RemotePlace) -> Owner | None:
    """Return who holds a lease at this moment, as far as the clock of this machine and the store's agree.

    Args:
        lease: The folder of the lease's objects.

    Raises:
        StoreError: The store cannot be read.
    """
    number, data = _latest(lease)
    owner = _parsed(data)
    if owner is None or owner.is_released:
        return None
    age = time.time() - _object(lease, number).modified_at()
    return owner if age < LEASE_SECONDS else None


def has_conditional_writes(folder: RemotePlace) -> bool:
    """Try whether a store refuses to create an object that exists; without that there are no leases.

    Args:
        folder: Where two tiny objects of one name may be written.

    Raises:
        StoreError: The store cannot be read or written.
    """
    probe = folder.child(f".probe-{uuid.uuid4().hex}")
    try:
        return probe.create(b"first") and not probe.create(b"second")
    except StoreError as error:
        cause = error.__cause__
        if isinstance(cause, _UNSUPPORTED) or (isinstance(cause, OSError) and cause.errno == errno.ENOSYS):
            return False
        raise
    finally:
        with suppress(StoreError):
            probe.remove_file()


def _take(place: RemotePlace, owner: Owner, on_wait: Callable[[Owner | None], None]) -> Lease:
    """Create the next number as soon as the present owner has ended."""
    seen: tuple[int, bytes | None] | None = None
    seen_at = _seconds()
    told = 0
    while True:
        number, data = latest = _latest(place)
        if latest != seen:
            seen, seen_at = latest, _seconds()
        present = _parsed(data)
        is_over = present is not None and (present.is_released or present.machine == owner.machine)
        if number == 0 or is_over or _seconds() - seen_at > LEASE_SECONDS:
            if _create(place, number + 1, owner):
                return Lease(place, number + 1, owner)
            continue
        if told != number and data is not None:
            on_wait(present)
            told = number
        time.sleep(POLL_SECONDS)


def _create(place: RemotePlace, number: int, owner: Owner) -> bool:
    """Create a number, unless another process has it or a higher one; remove those before it."""
    ours = _object(place, number)
    if not ours.create(owner.data):
        return False
    numbers = _numbers(place)
    if max(numbers, default=number) > number:
        # The number was free because an owner of a higher one had removed it meanwhile.
        ours.remove_file()
        return False
    with _logged(place):
        for each in numbers:
            if each < number:
                _object(place, each).remove_file()
    return True


def _renew_until(done: threading.Event, lease: Lease, place: RemotePlace) -> None:
    while not done.wait(RENEW_SECONDS):
        with _logged(place):
            lease.renew()


def _latest(place: RemotePlace) -> tuple[int, bytes | None]:
    """The highest number, 0 if there is none, and what its object holds."""
    number = max(_numbers(place), default=0)
    return number, _object(place, number).read() if number else None


def _numbers(place: RemotePlace) -> list[int]:
    return [
        int(stem) for stem in (name.removesuffix(".json") for name in place.list_files()) if stem.isdigit()
    ]


def _object(place: RemotePlace, number: int) -> RemotePlace:
    return place.child(f"{number:0{_DIGITS}}.json")


def _parsed(data: bytes | None) -> Owner | None:
    """What an object says, or ``None`` if it cannot be read, such as one of a later version."""
    try:
        return None if data is None else Owner.model_validate_json(data)
    except ValidationError:
        return None


@contextmanager
def _logged(place: RemotePlace) -> Iterator[None]:
    """Log what the store refuses, since the lease goes on or ends by itself."""
    try:
        yield
    except StoreError as error:
        _log.warning("the lease %s was not written: %s", place.address, error)


def _seconds() -> float:
    """A clock that is never set, and that goes on while a machine sleeps, where there is one."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
