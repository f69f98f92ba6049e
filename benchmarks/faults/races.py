"""Races: two processes at the same time, on the same run or on two runs in one home."""

from __future__ import annotations

from pathlib import Path

import yaml

from benchmarks.faults.bench import Bench, Tally
from benchmarks.faults.kills import BIT_FOR_BIT
from benchmarks.faults.pipeline import finish
from benchmarks.faults.watcher import Watcher


def two_starts(bench: Bench) -> Tally:
    """Start the same run twice at once: one process must wait, so that no stage is done twice."""
    tally, home = Tally("the same run is started twice at once"), bench.folder / "twice"
    with Watcher(home) as watcher:
        attempts = [bench.pipeline.start(bench.config, home) for _ in range(2)]
        for attempt in attempts:
            finish(attempt)
    tally.count(bench.what_is_lost(home, watcher))
    return tally


def two_runs(bench: Bench) -> Tally:
    """Run two configurations of one corpus in parallel in one home: each must end as if it were alone."""
    tally, home = Tally("two runs in parallel in one home"), bench.folder / "parallel"
    config = yaml.safe_load(bench.config.read_text(encoding="utf-8"))
    other = bench.folder / "other.yaml"
    other.write_text(yaml.safe_dump({**config, "name": "other", "seed": 1}), encoding="utf-8")
    finish(bench.pipeline.start(other, bench.folder / "other-alone"))
    with Watcher(home) as watcher:
        attempts = [bench.pipeline.start(each, home) for each in (bench.config, other)]
        for attempt in attempts:
            finish(attempt)
    lost = list(watcher.faults)
    for alone, name in ((bench.undisturbed, config["name"]), (bench.folder / "other-alone", "other")):
        first, second = (_published(each, name) for each in (alone, home))
        lost += [
            f"{file} of {name} differs"
            for file in BIT_FOR_BIT
            if (first / file).read_bytes() != (second / file).read_bytes()
        ]
    tally.count(lost)
    return tally


def _published(home: Path, name: str) -> Path:
    (folder,) = (home / "runs").glob(f"{name}-*/published")
    return folder
