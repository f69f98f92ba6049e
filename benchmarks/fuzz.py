"""Fuzzing: mutated files into everything that reads files of others, and what becomes of them.

    python -m benchmarks.fuzz [--inputs 100000] [--target csv --target task] [--seed 0]

Each input must be read, or be refused by one of the project's own errors in a sentence, within ten
seconds and a bound of memory (RLIMIT_AS). Inputs are valid files with one to four mutations in their
bytes or their structure (``tests/fuzz/mutations.py``), the same ones for the same seed; of the readers
written in Python half of them are bred by libFuzzer for the code that they reach (atheris). Printed, as
Markdown, are the inputs tried, what was found, and the seconds; the exit code is 1 where something was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.fuzz.targets import TARGETS

# Of a thousand inputs; those that need TensorFlow are slow, and have less to read.
SHARES = {
    "csv": 170, "tsv": 130, "jsonl": 170, "conll": 180, "parquet": 140, "config": 40, "records": 130,
    "published": 15, "run": 12, "task": 7, "shell": 4, "texts": 1, "encoder": 1,
}  # fmt: skip
BRED = ("csv", "tsv", "jsonl", "conll", "config")
BATCH = 5_000
SECONDS_AN_INPUT = 15


def main() -> int:
    """Try all targets that the command line names; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--target", action="append", choices=TARGETS, help="repeatable; else all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    whole = sum(SHARES[name] for name in names)
    print("| target | inputs | findings | seconds | peak MB |\n| --- | --- | --- | --- | --- |")
    totals, found = {"tried": 0, "seconds": 0.0}, []
    with tempfile.TemporaryDirectory(prefix="metamapping-fuzz-") as scratch:
        for name in names:
            count = max(1, round(options.inputs * SHARES[name] / whole))
            half = count // 2 if name in BRED else 0
            rows = tried(name, count - half, options.seed, Path(scratch) / name)
            if half:
                rows += tried(name, half, options.seed, Path(scratch) / f"{name}-bred", "--atheris")
            faults = [row for row in rows if "fault" in row]
            ends = [row for row in rows if "tried" in row]
            number, seconds = sum(row["tried"] for row in ends), sum(row["seconds"] for row in ends)
            peak = max((row["peak_megabytes"] for row in ends), default=0)
            print(f"| {name} | {number} | {len(faults)} | {seconds:.0f} | {peak} |", flush=True)
            totals["tried"] += number
            totals["seconds"] += seconds
            found += [(name, row) for row in faults]
    print(f"| all | {totals['tried']} | {len(found)} | {totals['seconds']:.0f} | |")
    for name, row in found[:50]:
        print(f"\n{name}, input {row['input']}: {row['fault']}\n    {row.get('bytes', '')[:200]}")
    return 1 if found else 0


def tried(name: str, count: int, seed: int, folder: Path, *more: str) -> list[dict[str, Any]]:
    """What workers said of ``count`` inputs; one that died is a finding, and the next goes on behind it."""
    rows: list[dict[str, Any]] = []
    first, last = 0, count
    while first < last:
        batch = min(BATCH, last - first) if not more else last - first
        command = [
            sys.executable,
            "-m",
            "tests.fuzz.worker",
            name,
            "--first",
            str(first),
            "--inputs",
            str(batch),
        ]
        command += ["--seed", str(seed), "--folder", str(folder), *more]
        try:
            ended = subprocess.run(
                command, capture_output=True, text=True, timeout=120 + SECONDS_AN_INPUT * batch
            )
            out, code, said = ended.stdout, ended.returncode, ended.stderr
        except subprocess.TimeoutExpired as error:
            out, code, said = (error.stdout or b"").decode(), "no end", ""
        new = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        rows += new
        if any("tried" in row for row in new):
            first += batch
            continue
        place = folder / "number"
        number = int(place.read_text()) if place.is_file() and not more else first
        rows.append({"input": number, "fault": f"the process ended with {code}: {said[-500:]}"})
        if more or not place.is_file():
            break
        rows.append({"tried": number + 1 - first, "seconds": 0.0, "peak_megabytes": 0})
        first = number + 1
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
