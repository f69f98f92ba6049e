"""Parcels: the sources that one task works on, so that its work is long beside what a task costs.

A large source is a parcel alone. Small ones share a parcel, in the configuration's order, until their files
are as large as it takes for a task's own cost to stay below 2 % (``python -m benchmarks.engines``).

    for parcel in pack(config.sources, config.engine.runner): read_sources.submit(home, parcel)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metamapping.config.engine import RunnerName
from metamapping.config.sources import Source

# Bytes of files whose work is fifty times what its four tasks cost.
WORTH_TASKS: dict[RunnerName, int] = {
    "threads": 4_000_000,
    "processes": 40_000_000,
    "dask": 60_000_000,
    "ray": 90_000_000,
}
# So few sources have tasks of their own, whatever their size: people see each of them come and go.
SHOWN_ALONE = 16


@dataclass(frozen=True)
class Parcel:
    """Sources that one task works on, one after the other."""

    sources: tuple[Source, ...]

    @property
    def name(self) -> str:
        """What people read: ``bank``, or ``bank and 41 more``."""
        first, *others = self.sources
        return f"{first.name} and {len(others)} more" if others else first.name


def pack(sources: Sequence[Source], runner: RunnerName) -> list[Parcel]:
    """All sources in their order; a parcel ends with the source that makes it large enough."""
    worth = WORTH_TASKS[runner] if len(sources) > SHOWN_ALONE else 0
    parcels, held, size = [], [], 0
    for source in sources:
        held.append(source)
        size += max(1, num_bytes(source, unknown=worth))
        if size >= worth:
            parcels.append(Parcel(tuple(held)))
            held, size = [], 0
    return [*parcels, Parcel(tuple(held))] if held else parcels


def num_bytes(source: Source, *, unknown: int) -> int:
    """Of its files; ``unknown`` for a data set on the hub, and for files that are not there."""
    if source.files is None:
        return unknown
    try:
        return sum(Path(file).stat().st_size for file in source.files)
    except OSError:
        return unknown
