"""BLAS threads: computes many small matrix products on one thread.

For the products of one task, of a few hundred rows, NumPy's threads wait for one another longer than they
compute. On two cores with other work a fit of 50 labels × 8 examples took 13 seconds on two threads and 0.6
on one.

    with one_blas_thread():
        fit(basis, targets, offset, ridge=0.1)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_limit = ExitStack()
_num_users = 0


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    # SciPy has a BLAS of its own, which is found only if it is loaded already.
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread in a block.

    The limit holds for the whole process. It is set by the first of several blocks that run at once, and
    lifted by the last of them, so that no block restores the limit of another.
    """
    global _num_users
    with _lock:
        if not _num_users:
            _limit.enter_context(_controller().limit(limits=1, user_api="blas"))
        _num_users += 1
    try:
        yield
    finally:
        with _lock:
            _num_users -= 1
            if not _num_users:
                _limit.close()
