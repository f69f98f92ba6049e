"""Disks and clocks: no space left, no writing, a time that goes back. Needs root, to mount small disks."""

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

# Kilobytes, too few for one stage after the other: the records, the tokenizer … what is published.
SIZES = (40, 150, 300, 500, 700, 900, 1_200, 1_600)
ENOUGH = 64_000


def full_disk(bench: Bench) -> Tally:
    """A disk that is full again and again, at other places; each time a little larger."""
    tally = Tally("the disk is full")
    with small_disk(bench.folder / "full", SIZES[0]) as disk, Watcher(disk / "home") as watcher:
        for size in SIZES:
            resize(disk, f"size={size}k")
            code, output = bench.attempt(disk / "home")
            if code == 0:
                break
            told = "No space left" in output
            tally.count(watcher.faults + ([] if told else [f"at {size} kB without a word: {output[-300:]}"]))
        resize(disk, f"size={ENOUGH}k")
        code, output = bench.attempt(disk / "home")
        tally.count([output[-500:]] if code else bench.what_is_lost(disk / "home", watcher))
    return tally


def read_only(bench: Bench) -> Tally:
    """A home that turns read-only in the middle of a run, and can be written again later."""
    tally = Tally("the home is read-only")
    with small_disk(bench.folder / "read-only", ENOUGH) as disk, Watcher(disk / "home") as watcher:
        attempt = bench.pipeline.start(bench.config, disk / "home")
        while attempt.poll() is None and not list(disk.glob("home/runs/*/checkpoints/round-1")):
            time.sleep(0.01)
        attempt.kill()
        attempt.wait()
        resize(disk, "ro")
        code, output = bench.attempt(disk / "home")
        told = code != 0 and "Read-only file system" in output
        resize(disk, "rw")
        code, output = bench.attempt(disk / "home")
        lost = [output[-500:]] if code else bench.what_is_lost(disk / "home", watcher)
        tally.count(lost if told else [*lost, "it did not say that the home is read-only"])
    return tally


def clock_set_back(bench: Bench) -> Tally:
    """Killed in training, and gone on by processes whose clock is two days back."""
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
    if library is None:
        raise Missing("libfaketime")
    clock = {"LD_PRELOAD": str(library), "FAKETIME": "-2d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    ask = [sys.executable, "-c", "import time; print(time.time())"]
    told = subprocess.run(ask, env={**os.environ, **clock}, check=True, capture_output=True, text=True).stdout
    if float(told) > time.time() - 86_400:
        raise Missing(f"a libfaketime that sets the clock back ({library})")
    tally, home = Tally("the clock is set back by two days"), bench.folder / "clock"
    with Watcher(home) as watcher:
        attempt = bench.pipeline.start(bench.config, home)
        while attempt.poll() is None and not list(home.glob("runs/*/checkpoints/round-1-partial/partial-*")):
            time.sleep(0.01)
        attempt.kill()
        attempt.wait()
        with Forks(env=clock) as back:
            finish(back.start(bench.config, home))
    tally.count([*differences(home, bench.undisturbed), *watcher.faults])
    return tally


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A disk in memory of this size. Raises ``Missing`` where mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or subprocess.run(command, capture_output=True).returncode
    ):
        raise Missing("the right to mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(disk: Path, option: str) -> None:
    """Change the disk's size, or whether it can be written."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)
