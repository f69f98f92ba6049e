"""Memory of a process and its children, without the pages of mapped files.

peak = [0.0]
threading.Thread(target=watch_memory, args=(process, peak), daemon=True).start()
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path


def watch_memory(process: subprocess.Popen[str], peak: list[float]) -> None:
    """Keep the peak of the anonymous memory of a process and its children in ``peak[0]``, in MB."""
    while process.poll() is None:
        peak[0] = max(peak[0], sum(_anonymous_megabytes(pid) for pid in _process_tree(process.pid)))
        time.sleep(0.1)


def _process_tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _process_tree(int(child))


def _anonymous_megabytes(pid: int) -> float:
    """Memory without the pages of mapped files, because the system may reclaim the page cache."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem"))) / 1024
