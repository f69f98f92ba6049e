"""Inject every fault into a small run, and report what it survives: ``make faults``.

    python -m benchmarks.faults [--kills 300] [--commands 3] [--servers 30] [--first-seed 0] [--only kills]

In: nothing; the configuration is ``tests/e2e/tiny.yaml``. ``--kills`` runs are killed without Prefect and
``--commands`` runs with it, at random moments that depend on the seed and are printed. ``--servers`` kills of
`metamapping serve` are under load, and as many of `metamapping adapt` replace a task. Out: a Markdown
table of the faults; a fault that this machine cannot produce is named and left out. The exit code is 1 if
anything was lost.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.faults.adapting import kill_adaptations
from benchmarks.faults.bench import Bench, Disturbance, Missing, Tally
from benchmarks.faults.damage import damaged_files
from benchmarks.faults.disks import clock_set_back, full_disk, read_only
from benchmarks.faults.kills import kill_runs
from benchmarks.faults.pipeline import ROOT, Commands, Forks
from benchmarks.faults.races import two_runs, two_starts
from benchmarks.faults.servers import kill_servers
from metamapping.rounds.tables import markdown_table

# A small encoder; the servers that are killed serve it.
TOY = ROOT / "tests/formats/folders/published-5-task-4/published"
DISTURBANCES: tuple[Disturbance, ...] = (
    full_disk,
    read_only,
    clock_set_back,
    damaged_files,
    two_starts,
    two_runs,
)


def main() -> int:
    """Print the table of "What was tested" in docs/reliability.md, and return the exit code.

    Every disturbed run is compared with an undisturbed one, byte for byte. The duration depends on
    ``--kills`` and has not been recorded; benchmarks/README.md has no table of it.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--kills", type=int, default=30, help="runs killed without Prefect")
    parser.add_argument("--commands", type=int, default=2, help="runs killed with Prefect")
    parser.add_argument("--servers", type=int, default=5, help="kills of a server, and of adaptations")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", choices=["kills", "servers", *(each.__name__ for each in DISTURBANCES)])
    options = parser.parse_args()
    tallies = []
    with tempfile.TemporaryDirectory(prefix="metamapping-faults-") as name:
        folder = Path(name)
        if options.only in (None, "kills"):
            with Commands() as commands:
                tallies += kill_tally(commands, folder / "commands", options.first_seed, options.commands)
        if options.only in (None, "servers"):
            tallies += server_tallies(folder / "servers", options.first_seed, options.servers)
            if options.only == "servers":
                return report(tallies)
        with Forks() as forks:
            if options.only in (None, "kills"):
                tallies += kill_tally(forks, folder / "forks", options.first_seed, options.kills)
            chosen = [each for each in DISTURBANCES if options.only in (None, each.__name__)]
            bench = Bench.of(forks, folder / "bench") if chosen else None
            for disturbance in chosen:
                assert bench is not None
                try:
                    tallies.append(disturbance(bench))
                    print(*tallies[-1].row, sep=" | ", flush=True)
                except Missing as requirement:
                    print(f"{disturbance.__name__} is left out: this machine lacks {requirement}", flush=True)
    return report(tallies)


def report(tallies: list[Tally]) -> int:
    """Print the table of all tallies, and return the exit code."""
    print()
    print(markdown_table(["fault", "tried", "survived", "lost"], [tally.row for tally in tallies]))
    return int(any(tally.failed for tally in tallies))


def server_tallies(folder: Path, seed: int, num_kills: int) -> list[Tally]:
    """The tallies of killed servers and killed adaptations; an empty list if there are none."""
    if not num_kills:
        return []
    lost, num_answers = kill_servers(TOY, folder / "serve", num_kills=num_kills, seed=seed)
    found = {f"`metamapping serve` is killed under load ({num_answers} answered requests)": lost}
    for options in ((), ("--tune",)):
        name = " ".join(("metamapping adapt", *options))
        found[f"`{name}` is killed while it replaces a task"] = kill_adaptations(
            TOY, folder / name.replace(" ", "-"), num_kills=num_kills, seed=seed, options=options
        )
    tallies = []
    for fault, all_lost in found.items():
        tallies.append(Tally(fault))
        for each in all_lost:
            tallies[-1].count(each)
        print(*tallies[-1].row, sep=" | ", flush=True)
    return tallies


def kill_tally(pipeline: Forks | Commands, folder: Path, first_seed: int, num_runs: int) -> list[Tally]:
    """The tally of ``num_runs`` killed runs, in a list; an empty list if there are none."""
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
