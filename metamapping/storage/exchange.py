"""Exchange: two paths of one file system swap their contents in one atomic step, where the system can do it.

Replacing a folder takes two renames: the old one away, the new one in. A process that is killed between them
leaves none. Linux and macOS have a call that does both at once; Python offers neither.

    if not exchange(new, old):          # no such call here, or not on this file system
        ...
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_RENAME_SWAP = 2  # sys/stdio.h of macOS
_UNSUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}


def exchange(first: Path, second: Path) -> bool:
    """Swap two paths atomically: at every moment each of them exists.

    Args:
        first: An existing file or folder.
        second: Another one, on the same file system.

    Returns:
        False, with nothing changed, if the system or the file system does not offer it.

    Raises:
        OSError: They cannot be swapped: one does not exist, or the folder is read-only.
    """
    swap = _system_call()
    if swap is None:
        return False
    if swap(os.fsencode(first), os.fsencode(second)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))


@cache
def _system_call() -> Callable[[bytes, bytes], int] | None:
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            renamex = library.renamex_np
            return lambda first, second: int(renamex(first, second, ctypes.c_uint(_RENAME_SWAP)))
        renameat = library.renameat2
    except (OSError, AttributeError):  # another system, or a C library without the call
        return None
    return lambda first, second: int(
        renameat(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE))
    )
