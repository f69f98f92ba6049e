"""Damage: one file of a home cut short or one bit of it turned over; it must never be used."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from benchmarks.faults.bench import Bench, Tally
from benchmarks.faults.watcher import Watcher

# What is damaged, and what a person removes where the run is refused; "": it is made again by itself.
TARGETS = {
    "data/tokens-*/part-00000.parquet": "",
    "data/records-*/manifest.json": "",
    "data/tokenizer-*/tokenizer.json": "",
    "runs/*/run.json": "run.json",
    "runs/*/checkpoints/round-0/weights.safetensors": "checkpoints/round-0",
    "runs/*/checkpoints/round-1/optimizer.safetensors": "checkpoints/round-1",
    "runs/*/checkpoints/round-1/state.json": "checkpoints/round-1",
    "runs/*/validation-1.json": "validation-1.json",
    "runs/*/rounds.jsonl": "rounds.jsonl",
    "runs/*/published/model.safetensors": "published",
}


def damaged_files(bench: Bench) -> Tally:
    """Every kind of file damaged in a finished home: the run heals, or names the file until it is mended."""
    tally, home = Tally("a file is cut short, or a bit of it turned over"), bench.folder / "damaged"
    code, output = bench.attempt(home)
    assert code == 0, output
    for number, (pattern, removed) in enumerate(TARGETS.items()):
        for how in ("cut", "turned"):
            tally.count(_try(bench, home, pattern, removed, how=how, number=number))
    return tally


def _try(bench: Bench, home: Path, pattern: str, removed: str, *, how: str, number: int) -> list[str]:
    file = sorted(home.glob(pattern))[0]
    (run,) = (home / "runs").iterdir()
    if "published" not in pattern:
        shutil.rmtree(run / "published", ignore_errors=True)
        # What only a later round reads is read again only where that is to be made again.
        for later in ("checkpoints/round-2", *(["checkpoints/round-1"] if "round-0" in pattern else [])):
            shutil.rmtree(run / later, ignore_errors=True)
    data = file.read_bytes()
    place = (number + 1) * len(data) // (len(TARGETS) + 1)
    turned = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    file.write_bytes(data[: max(1, place)] if how == "cut" else turned)
    code, output = bench.attempt(home)
    is_named = file.name in re.sub(r"\s+", " ", output)
    lost = []
    if code == 0 and removed:
        lost.append(f"{file} ({how} at {place}) was used")
    if code != 0 and not is_named:
        lost.append(f"{file} ({how} at {place}) is not named: {output[-400:]}")
    if code != 0:
        target = run / removed
        shutil.rmtree(target, ignore_errors=True) if target.is_dir() else target.unlink(missing_ok=True)
        code, output = bench.attempt(home)
    with Watcher(home) as watcher:
        pass
    return [*lost, output[-400:]] if code else [*lost, *bench.what_is_lost(home, watcher)]
