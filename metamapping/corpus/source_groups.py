"""Source groups: the sources that one Prefect task processes, so that tasks are worth their own cost.

Input: all sources. Output: groups of them in the same order. A large source is a group of its own. Small ones
share a group until their files are large enough for the tasks' own cost to stay below 2 % (measured by
``python -m benchmarks.engines``).

    for group in group_sources(config.sources, config.engine.runner):
        read_sources.submit(home, group)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metamapping.config.engine import RunnerName
from metamapping.config.sources import Source

# Bytes of files whose processing takes fifty times as long as the overhead of a group's four tasks.
MIN_GROUP_BYTES: dict[RunnerName, int] = {
    "threads": 4_000_000,
    "processes": 40_000_000,
    "dask": 60_000_000,
    "ray": 90_000_000,
}
# Up to this many sources are never grouped, whatever their size, so that the UI shows each of them.
MAX_UNGROUPED_SOURCES = 16


@dataclass(frozen=True)
class SourceGroup:
    """Sources that one task processes one after the other."""

    sources: tuple[Source, ...]

    @property
    def name(self) -> str:
        """The name that the UI shows: ``bank``, or ``bank and 41 more``."""
        first, *others = self.sources
        return f"{first.name} and {len(others)} more" if others else first.name


def group_sources(sources: Sequence[Source], runner: RunnerName) -> list[SourceGroup]:
    """Divide sources into groups.

    Args:
        sources: All sources of a run.
        runner: The task runner, whose overhead determines how large a group has to be.

    Returns:
        Groups that contain all sources in their order. A group ends with the source that makes it large
        enough; only the last may be smaller.
    """
    min_bytes = MIN_GROUP_BYTES[runner] if len(sources) > MAX_UNGROUPED_SOURCES else 0
    groups: list[SourceGroup] = []
    members: list[Source] = []
    size = 0
    for source in sources:
        members.append(source)
        size += max(1, num_bytes(source, unknown=min_bytes))
        if size >= min_bytes:
            groups.append(SourceGroup(tuple(members)))
            members, size = [], 0
    return [*groups, SourceGroup(tuple(members))] if members else groups


def num_bytes(source: Source, *, unknown: int) -> int:
    """Return the size of a source's files.

    Args:
        source: The source.
        unknown: The result for a data set on the hub, and for files that do not exist.
    """
    if source.files is None:
        return unknown
    try:
        return sum(Path(file).stat().st_size for file in source.files)
    except OSError:
        return unknown
