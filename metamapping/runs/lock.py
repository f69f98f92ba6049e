"""The lock of a run: one process at a time works on it; others wait and then find the work done.

The lock is an operating-system lock on the file ``<home>/locks/<run_id>.lock``. It is released when the
process that holds it ends, for whatever reason, so nobody ever has to remove it. It is held for a stage,
not for a whole run, since a run's stages may be processes on different machines. Stages of the corpus need
no lock: both of two writers write the same content, and the first one wins. On a network mount the lock
is as reliable as the file locks of the mount.

If the home is at an address, that lock is in this machine's cache, and the process that holds it takes a
lease at ``<home>/locks/<run_id>/`` as well, which excludes other machines (``storage.leases``).

    @exclusive
    def adjust_stage(run: RunFolder, round: int) -> Round: ...
"""

from __future__ import annotations

import errno
import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from filelock import FileLock, Timeout

from metamapping.errors import StoreError
from metamapping.runs.folder import RunFolder
from metamapping.storage import leases, remote
from metamapping.storage.lease_owner import Owner, machine_id

_log = logging.getLogger(__name__)
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}

P = ParamSpec("P")
R = TypeVar("R")


def exclusive(stage: Callable[Concatenate[RunFolder, P], R]) -> Callable[Concatenate[RunFolder, P], R]:
    """Decorate a stage so that it holds its run's lock; stages that it calls use the same lock.

    Args:
        stage: A function whose first argument is the run.

    Returns:
        The same function, which waits for the lock before it starts.
    """

    @functools.wraps(stage)
    def run_exclusively(run: RunFolder, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with locked(run):
            return stage(run, *args, **kwargs)

    return run_exclusively


@contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Wait for the lock of a run, and hold it until the end of the block.

    Without write permission for the locks, the block runs without one, so that finished stages can be read.

    Args:
        run: The run; it need not be opened yet.

    Yields:
        Nothing.

    Raises:
        OSError: The lock cannot be created, for a reason other than missing write permission.
        StoreError: The home is at an address that does not answer.
    """
    path = _lock_file(run)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A singleton for each path and thread, so that a thread that holds the lock can acquire it again.
        lock = FileLock(path, is_singleton=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.warning("another process works on run %s: waiting until its stage is done", run.run_id)
            lock.acquire()
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        # If no lock can be written, nothing else can be written either, but finished stages can be read.
        yield
        return
    try:
        with _leased(run):
            yield
    finally:
        lock.release()


def is_locked(run: RunFolder) -> bool:
    """Whether another process works on a run at this moment, as far as this machine can tell.

    Args:
        run: The run.
    """
    lease = remote.remote_place(_lease_folder(run))
    if lease is not None and leases.present_owner(lease) is not None:
        return True
    path = _lock_file(run)
    if not path.is_file():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _leased(run: RunFolder) -> AbstractContextManager[None]:
    """The lease of a run whose home is at an address, for the process that has locked it on this machine."""
    folder = _lease_folder(run)
    lease = remote.remote_place(folder)
    if lease is None or not _can_lease(folder.parent, lease.address.rpartition("/")[0]):
        return nullcontext()

    def say_who(present: Owner | None) -> None:
        _log.warning(
            "another process works on run %s (%s): waiting until its stage is done, or until it has not been "
            "heard of for %.0f s",
            run.run_id,
            present or "it does not say which",
            leases.LEASE_SECONDS,
        )

    owner = Owner.this_process(machine_id(folder.parent))
    return leases.hold(lease, run.path, owner, on_wait=say_who)


@functools.lru_cache
def _can_lease(locks: Path, address: str) -> bool:
    """Whether a store can be asked for leases; says so, once in a process, if not."""
    place = remote.remote_place(locks)
    assert place is not None
    try:
        supported = leases.has_conditional_writes(place)
    except StoreError as error:
        if isinstance(error.__cause__, PermissionError):
            return False  # As above: finished stages can be read.
        raise
    if not supported:
        _log.warning(
            "%s is in a store without conditional writes (`If-None-Match`), so two machines that work on one "
            "run at the same time cannot see each other: start a run on one machine at a time, or on a "
            "Prefect server",
            address,
        )
    return supported


def _lease_folder(run: RunFolder) -> Path:
    return run.path.parent.parent / "locks" / run.run_id


def _lock_file(run: RunFolder) -> Path:
    return run.path.parent.parent / "locks" / f"{run.run_id}.lock"
