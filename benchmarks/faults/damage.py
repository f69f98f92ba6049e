"""Damaged files: one file of a home is truncated, or one of its bits is flipped. It must never be used."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from benchmarks.faults.bench import Bench, Tally
from benchmarks.faults.watcher import Watcher

# Which file is damaged, and what a person removes after the error. "": the run rebuilds it without help.
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
    """Damage every kind of file in a finished home.

    A run must rebuild the file, or fail with an error that names it and complete once it is removed.
    """
    tally, home = Tally("a file is truncated, or one of its bits is flipped"), bench.folder / "damaged"
    code, output = bench.attempt(home)
    assert code == 0, output
    for number, (pattern, removed) in enumerate(TARGETS.items()):
        for how in ("truncated", "flipped"):
            tally.count(_try(bench, home, pattern, removed, how=how, number=number))
    return tally


def _try(bench: Bench, home: Path, pattern: str, removed: str, *, how: str, number: int) -> list[str]:
    file = sorted(home.glob(pattern))[0]
    (run,) = (home / "runs").iterdir()
    if "published" not in pattern:
        shutil.rmtree(run / "published", ignore_errors=True)
        # A finished round is not trained again, and so its inputs are not read again: remove it.
        for later in ("checkpoints/round-2", *(["checkpoints/round-1"] if "round-0" in pattern else [])):
            shutil.rmtree(run / later, ignore_errors=True)
    data = file.read_bytes()
    # Each target is damaged in another place: near its start, …, near its end.
    position = (number + 1) * len(data) // (len(TARGETS) + 1)
    flipped = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
    file.write_bytes(data[: max(1, position)] if how == "truncated" else flipped)
    code, output = bench.attempt(home)
    is_named = file.name in re.sub(r"\s+", " ", output)
    lost = []
    if code == 0 and removed:
        lost.append(f"{file} ({how} at {position}) was used")
    if code != 0 and not is_named:
        lost.append(f"{file} ({how} at {position}) is not named: {output[-400:]}")
    if code != 0:
        target = run / removed
        shutil.rmtree(target, ignore_errors=True) if target.is_dir() else target.unlink(missing_ok=True)
        code, output = bench.attempt(home)
    with Watcher(home) as watcher:
        pass
    return [*lost, output[-400:]] if code else [*lost, *bench.what_is_lost(home, watcher)]
