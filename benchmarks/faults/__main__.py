"""Try every fault on a small run, and print a table: ``make faults``.

    python -m benchmarks.faults [--kills 300] [--commands 3] [--first-seed 0] [--only kills]

``--kills`` runs are killed without Prefect, ``--commands`` runs with it, at moments that each run's seed
decides and that are printed; a fault that needs a part which this machine has not got is left out by name.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.faults.bench import Bench, Disturbance, Missing, Tally
from benchmarks.faults.damage import damaged_files
from benchmarks.faults.disks import clock_set_back, full_disk, read_only
from benchmarks.faults.kills import kill_runs
from benchmarks.faults.pipeline import Commands, Forks
from benchmarks.faults.races import two_runs, two_starts
from metamapping.rounds.tables import markdown_table

DISTURBANCES: tuple[Disturbance, ...] = (
    full_disk,
    read_only,
    clock_set_back,
    damaged_files,
    two_starts,
    two_runs,
)


def main() -> int:
    """Run what is asked for; the exit code says whether anything was lost."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=30, help="runs killed without Prefect")
    parser.add_argument("--commands", type=int, default=2, help="runs killed with Prefect")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", choices=["kills", *(each.__name__ for each in DISTURBANCES)])
    options = parser.parse_args()
    tallies = []
    with tempfile.TemporaryDirectory(prefix="metamapping-faults-") as place:
        folder = Path(place)
        if options.only in (None, "kills"):
            with Commands() as commands:
                tallies += killed(commands, folder / "commands", options.first_seed, options.commands)
        with Forks() as forks:
            if options.only in (None, "kills"):
                tallies += killed(forks, folder / "forks", options.first_seed, options.kills)
            chosen = [each for each in DISTURBANCES if options.only in (None, each.__name__)]
            bench = Bench.of(forks, folder / "bench") if chosen else None
            for disturbance in chosen:
                assert bench is not None
                try:
                    tallies.append(disturbance(bench))
                    print(*tallies[-1].row, sep=" | ", flush=True)
                except Missing as part:
                    print(f"{disturbance.__name__} is left out: this machine lacks {part}", flush=True)
    print()
    print(markdown_table(["fault", "tried", "survived", "lost"], [tally.row for tally in tallies]))
    return int(any(tally.failed for tally in tallies))


def killed(pipeline: Forks | Commands, folder: Path, first_seed: int, num_runs: int) -> list[Tally]:
    """The tally of so many runs of a pipeline; nothing where none are asked for."""
    if not num_runs:
        return []
    runs = kill_runs(pipeline, folder, seeds=range(first_seed, first_seed + num_runs))
    num_kills = sum(len(run.kills) for run in runs)
    tally = Tally(f"killed at random until done, {pipeline.name} ({num_kills} kills)")
    for run in runs:
        tally.count([f"seed {run.seed}: {fault}" for fault in run.faults])
    return [tally]


if __name__ == "__main__":
    raise SystemExit(main())
