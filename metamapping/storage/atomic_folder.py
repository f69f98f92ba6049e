"""Atomic folders: a folder is filled under a temporary name and renamed once it is complete.

Input: the path of a folder. Output: a temporary directory next to it. Readers see the old folder, the new
one or none, never a part of one, because a rename within one file system is atomic. Names with a leading
dot (``.draft-*``, ``.removed-*``, ``.replaced-*``, ``.damaged-*``) belong to writers: no reader opens them.

    with atomic_folder(home / "report") as temporary:
        (temporary / "report.md").write_text("...")
        write_manifest(temporary, {"stage": "report"})
"""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from metamapping.storage.exchange import exchange

_log = logging.getLogger(__name__)
_ABANDONED_AFTER_SECONDS = 24 * 3600


@contextmanager
def atomic_folder(
    folder: Path, *, keep_existing: Callable[[Path], bool] = lambda existing: False
) -> Iterator[Path]:
    """Yield a temporary directory that becomes ``folder`` when the block ends without an error.

    Args:
        folder: The final path. Its parent is created if necessary.
        keep_existing: Called with ``folder`` if something is there already when the block ends. True
            discards the new content, False replaces the old.

    Yields:
        An empty directory next to ``folder``. It is removed if the block raises.
    """
    temporary = folder.with_name(f".draft-{folder.name}-{_suffix()}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            temporary.rename(folder)
        except OSError:  # Something is there already: only an empty directory is replaced by a rename.
            if not keep_existing(folder):
                _replace(folder, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder of this machine, if it exists, so that no reader sees a part of it.

    Args:
        folder: The folder.
    """
    removed = folder.with_name(f".removed-{folder.name}-{_suffix()}")
    with suppress(FileNotFoundError, NotADirectoryError):
        folder.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)


def quarantine_folder(folder: Path, reason: Exception) -> None:
    """Rename a damaged folder of this machine to a name that no reader opens, and log a warning.

    Args:
        folder: The damaged folder.
        reason: The error that describes the damage, for the warning.
    """
    quarantined = folder.with_name(f".damaged-{folder.name}-{_suffix()}")
    with suppress(FileNotFoundError):  # Another process was faster.
        folder.rename(quarantined)
        _log.warning("%s. It is quarantined as %s and will be rebuilt.", reason, quarantined)


def remove_abandoned_folders(parent: Path) -> None:
    """Remove the temporary directories that killed processes left in ``parent``.

    A directory counts as abandoned a day after anything in it was last written.

    Args:
        parent: The folder in which folders are written.
    """
    for abandoned in [*parent.glob(".draft-*"), *parent.glob(".removed-*")]:
        with suppress(OSError):
            written = max(path.stat().st_mtime for path in [abandoned, *abandoned.rglob("*")])
            if time.time() - written > _ABANDONED_AFTER_SECONDS:
                shutil.rmtree(abandoned, ignore_errors=True)


def recover_folders(parent: Path) -> list[Path]:
    """Bring back the folders that a killed process had taken away and not replaced yet.

    That can only happen where ``exchange`` is not available. No other process may write to ``parent`` at that
    time.

    Args:
        parent: The folder in which folders are written.

    Returns:
        The folders that are there again.
    """
    recovered = []
    for old in parent.glob(".replaced-*"):
        folder = parent / old.name.removeprefix(".replaced-").rpartition("-")[0]
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.rename(folder)
            recovered.append(folder)
    return recovered


def _replace(folder: Path, temporary: Path) -> None:
    """Put ``temporary`` in the place of ``folder``; the old folder is restored if that fails."""
    if folder.exists() and exchange(temporary, folder):
        return  # what is named ``temporary`` now is the old folder, which the caller removes
    old = folder.with_name(f".replaced-{folder.name}-{_suffix()}")
    with suppress(FileNotFoundError):
        folder.rename(old)
    try:
        temporary.rename(folder)
    except OSError:
        with suppress(OSError):
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _suffix() -> str:
    """Eight hexadecimal digits, so that two writers of one folder never share a name."""
    return uuid.uuid4().hex[:8]
