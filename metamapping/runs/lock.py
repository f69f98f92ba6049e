"""Locks: one process at a time works on a run; another one waits, and finds done what the first has done.

A lock is the operating system's, on a file ``<home>/locks/<run_id>.lock``: it ends with the process that
holds it, however that ends, so nobody ever has to remove one. It is held for a stage, not for a run: a
run's stages may be processes on different machines, one after the other. Stages of the corpus need none:
of two writers the first wins, and both have written the same. On a mounted folder it is as good as the
mount's locks; for a home at an address it holds between the processes of one machine.

    @alone
    def train_stage(run: RunFolder, round: int) -> TrainingReport: ...
"""

from __future__ import annotations

import errno
import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from metamapping.runs.folder import RunFolder

_log = logging.getLogger(__name__)
_NO_WRITING = {errno.EROFS, errno.EACCES, errno.EPERM}

P = ParamSpec("P")
R = TypeVar("R")


def alone(stage: Callable[Concatenate[RunFolder, P], R]) -> Callable[Concatenate[RunFolder, P], R]:
    """The stage with the run's lock held; stages that it calls hold the same one."""

    @functools.wraps(stage)
    def run_alone(run: RunFolder, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with locked(run):
            return stage(run, *args, **kwargs)

    return run_alone


@contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Wait for the run's lock, and hold it to the end of the block."""
    path = run.path.parent.parent / "locks" / f"{run.run_id}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One object a path and thread, so that a thread which holds it may take it again.
        lock = FileLock(path, is_singleton=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.warning("another process works on run %s: waiting until its stage is done", run.run_id)
            lock.acquire()
    except OSError as error:
        if error.errno not in _NO_WRITING:
            raise
        # Where no lock can be written nothing else can be either, and what is done can be read.
        yield
        return
    try:
        yield
    finally:
        lock.release()
