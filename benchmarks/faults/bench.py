"""What every fault is tried on: one small configuration, and its undisturbed run to compare with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.kills import differences, run_undisturbed, write_config
from benchmarks.faults.pipeline import Commands, Forks
from benchmarks.faults.watcher import Watcher


class Missing(RuntimeError):  # noqa: N818  (it is no error: something that this machine has not got)
    """A part of the machine that the fault needs, by its name."""


@dataclass(frozen=True)
class Bench:
    """A configuration, the home of its undisturbed run, and the seconds that took."""

    pipeline: Forks | Commands
    folder: Path
    config: Path
    undisturbed: Path
    seconds: float

    @classmethod
    def of(cls, pipeline: Forks | Commands, folder: Path) -> Bench:
        """Run it undisturbed in a new folder."""
        config, undisturbed = write_config(folder), folder / "undisturbed"
        return cls(pipeline, folder, config, undisturbed, run_undisturbed(pipeline, config, undisturbed))

    def attempt(self, home: Path) -> tuple[int, str]:
        """Run to the end; the exit code and what was printed."""
        attempt = self.pipeline.start(self.config, home)
        return attempt.wait(), attempt.output()

    def what_is_lost(self, home: Path, watcher: Watcher) -> list[str]:
        """All that differs from the undisturbed run, and every half folder that was seen."""
        return [*differences(home, self.undisturbed), *watcher.faults]


@dataclass
class Tally:
    """How often a fault was tried and survived, and what was lost."""

    fault: str
    tried: int = 0
    lost: list[str] = field(default_factory=list)
    failed: int = 0

    def count(self, lost: list[str]) -> None:
        """One more try."""
        self.tried += 1
        self.failed += bool(lost)
        self.lost += lost

    @property
    def row(self) -> list[str]:
        """For the table."""
        return [self.fault, str(self.tried), str(self.tried - self.failed), "; ".join(self.lost) or "nothing"]


Disturbance = Callable[[Bench], Tally]
