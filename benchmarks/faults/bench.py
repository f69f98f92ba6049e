"""What every fault is injected into: one small configuration, with an undisturbed run to compare with.

bench = Bench.of(pipeline, folder)
tally = full_disk(bench)            # a disturbance is a function from a bench to a tally
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.kills import differences, run_undisturbed, write_config
from benchmarks.faults.pipeline import Commands, Forks
from benchmarks.faults.watcher import Watcher


class Missing(RuntimeError):  # noqa: N818  (it is not an error but a reason to skip a fault)
    """This machine lacks what a fault needs; the message names it."""


@dataclass(frozen=True)
class Bench:
    """A configuration, the home of its undisturbed run, and how many seconds that run took."""

    pipeline: Forks | Commands
    folder: Path
    config: Path
    undisturbed: Path
    seconds: float

    @classmethod
    def of(cls, pipeline: Forks | Commands, folder: Path) -> Bench:
        """Write the configuration and run it undisturbed in ``folder``."""
        config, undisturbed = write_config(folder), folder / "undisturbed"
        return cls(pipeline, folder, config, undisturbed, run_undisturbed(pipeline, config, undisturbed))

    def attempt(self, home: Path) -> tuple[int, str]:
        """Run to the end in ``home``; the exit code and what was printed."""
        attempt = self.pipeline.start(self.config, home)
        return attempt.wait(), attempt.output()

    def what_is_lost(self, home: Path, watcher: Watcher) -> list[str]:
        """Everything that differs from the undisturbed run, and every incomplete folder that was seen."""
        return [*differences(home, self.undisturbed), *watcher.faults]


@dataclass
class Tally:
    """How many times a fault was tried and survived, and what was lost."""

    fault: str
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    failed: int = 0

    def count(self, lost: list[str]) -> None:
        """Count one more try, which lost ``lost``; an empty list means that it was survived."""
        self.tried += 1
        self.failed += bool(lost)
        self.lost += lost

    @property
    def row(self) -> list[str]:
        """The cells of the table: fault, tried, survived, lost."""
        return [self.fault, str(self.tried), str(self.tried - self.failed), "; ".join(self.lost) or "nothing"]


Disturbance = Callable[[Bench], Tally]
