"""Disks and clocks: a full disk, a read-only home, a clock that is set back.

The small disks are mounted in memory, which needs root on Linux; the clock needs libfaketime. Without them
the fault raises ``Missing``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.bench import Bench, Missing, Tally
from benchmarks.faults.kills import differences
from benchmarks.faults.pipeline import Forks, finish
from benchmarks.faults.watcher import Watcher

# Each size is too small for another stage: the first for the records, …, the last for the published folder.
SIZES_KILOBYTES = (40, 150, 300, 500, 700, 900, 1_200, 1_600)
ENOUGH_KILOBYTES = 64_000


def full_disk(bench: Bench) -> Tally:
    """Run on a disk that is too small, and start again each time it has become a little larger."""
    tally = Tally("the disk is full")
    with small_disk(bench.folder / "full", SIZES_KILOBYTES[0]) as disk, Watcher(disk / "home") as watcher:
        for size in SIZES_KILOBYTES:
            resize(disk, f"size={size}k")
            code, output = bench.attempt(disk / "home")
            if code == 0:
                break
            lost = [] if "No space left" in output else [f"at {size} kB, not reported: {output[-300:]}"]
            tally.count(watcher.faults + lost)
        resize(disk, f"size={ENOUGH_KILOBYTES}k")
        code, output = bench.attempt(disk / "home")
        tally.count([output[-500:]] if code else bench.what_is_lost(disk / "home", watcher))
    return tally


def read_only(bench: Bench) -> Tally:
    """Make the home read-only in the middle of a run, and writable again later."""
    tally = Tally("the home is read-only")
    with small_disk(bench.folder / "read-only", ENOUGH_KILOBYTES) as disk, Watcher(disk / "home") as watcher:
        attempt = bench.pipeline.start(bench.config, disk / "home")
        while attempt.poll() is None and not list(disk.glob("home/runs/*/checkpoints/round-1")):
            time.sleep(0.01)
        attempt.kill()
        attempt.wait()
        resize(disk, "ro")
        code, output = bench.attempt(disk / "home")
        is_reported = code != 0 and "Read-only file system" in output
        resize(disk, "rw")
        code, output = bench.attempt(disk / "home")
        lost = [output[-500:]] if code else bench.what_is_lost(disk / "home", watcher)
        tally.count(lost if is_reported else [*lost, "the error does not report that the home is read-only"])
    return tally


def clock_set_back(bench: Bench) -> Tally:
    """Kill a run in training, and resume it in processes whose clock is two days behind."""
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
    if library is None:
        raise Missing("libfaketime")
    clock = {"LD_PRELOAD": str(library), "FAKETIME": "-2d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    command = [sys.executable, "-c", "import time; print(time.time())"]
    environment = {**os.environ, **clock}
    faked = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    if float(faked) > time.time() - 86_400:
        raise Missing(f"a libfaketime that sets the clock back ({library})")
    tally, home = Tally("the clock is set back by two days"), bench.folder / "clock"
    with Watcher(home) as watcher:
        attempt = bench.pipeline.start(bench.config, home)
        while attempt.poll() is None and not list(home.glob("runs/*/checkpoints/round-1-partial/partial-*")):
            time.sleep(0.01)
        attempt.kill()
        attempt.wait()
        with Forks(env=clock) as forks:
            finish(forks.start(bench.config, home))
    tally.count([*differences(home, bench.undisturbed), *watcher.faults])
    return tally


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a disk of this size in memory. Raises ``Missing`` where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or subprocess.run(command, capture_output=True).returncode
    ):
        raise Missing("permission to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(disk: Path, option: str) -> None:
    """Remount the disk with another size, or as read-only or writable."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)
