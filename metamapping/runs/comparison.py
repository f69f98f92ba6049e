"""Comparison of two runs: how they differ, and which is better on which source.

The best rounds are compared on the validation sources and, if both runs have published, on the test
sources. If both were evaluated on the same episodes (same seed, evaluation and data), the differences are
paired by episode, so that the difficulty of an episode cancels out; otherwise the episodes are independent
and the interval is wider. A difference is the second run minus the first.

    comparison = compare_runs(RunFolder(home, "demo-1"), RunFolder(home, "demo-2"))
    print(comparison.markdown())
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict

from metamapping.config.sources import Role, Source, TaskType
from metamapping.rounds.intervals import Estimate
from metamapping.rounds.tables import markdown_table
from metamapping.rounds.wording import count
from metamapping.runs.folder import RunFolder
from metamapping.runs.source_data import source_rows
from metamapping.runs.stored_scores import cells_of, mean_of_sources, paired, same_episodes, unpaired

_ROLES: tuple[Role, ...] = ("validation", "test")


class Difference(BaseModel):
    """A setting, or a source, that is not the same in both runs.

    Attributes:
        what: Name of the setting, or ``source`` and the source's name.
        first: The value in the first run, as text.
        second: The value in the second run, as text.
    """

    model_config = ConfigDict(frozen=True)

    what: str
    first: str
    second: str


class Measured(BaseModel):
    """The mean scores of both runs on a source, or on several sources.

    Attributes:
        role: ``validation`` or ``test``.
        what: The source's name, ``all sources``, or ``all of`` a task type.
        first: Mean score of the first run.
        second: Mean score of the second run.
        difference: The second minus the first, with its 95 % interval.
        is_paired: Whether the difference is paired by episode.
    """

    model_config = ConfigDict(frozen=True)

    role: Role
    what: str
    first: float
    second: float
    difference: Estimate
    is_paired: bool


class Comparison(BaseModel):
    """The result of ``compare_runs``.

    Attributes:
        first: ID of the first run.
        second: ID of the second run.
        differences: The settings and sources that differ.
        measured: The scores by source and by groups of sources.
        sentence: The conclusion.
    """

    model_config = ConfigDict(frozen=True)

    first: str
    second: str
    differences: list[Difference]
    measured: list[Measured]
    sentence: str

    def markdown(self) -> str:
        """Format the comparison as Markdown.

        Returns:
            The sentence, a table of the differences, and a table of the scores.
        """
        changes = [[each.what, each.first, each.second] for each in self.differences]
        scores = [
            [
                each.role,
                each.what,
                f"{each.first:.3f}",
                f"{each.second:.3f}",
                each.difference.signed,
                "same" if each.is_paired else "different",
            ]
            for each in self.measured
        ]
        columns = ["role", "sources", self.first, self.second, "second minus first", "episodes"]
        return "\n\n".join(
            [
                self.sentence,
                markdown_table(["setting or source", self.first, self.second], changes)
                if changes
                else "Nothing in configuration or data differed.",
                markdown_table(columns, scores),
            ]
        )


def compare_runs(first: RunFolder, second: RunFolder) -> Comparison:
    """Compare the best rounds of two runs.

    Args:
        first: The run to compare with.
        second: The run whose gain over ``first`` is measured.

    Returns:
        The differences of the runs and of their scores.

    Raises:
        ConfigError: One of the runs does not exist.
        StoreError: A file of one of the runs is damaged.
        ValueError: A run has no judged round yet, or the runs share no held-out source.
    """
    measured = [row for role in _ROLES for row in _measure(first, second, role)]
    if not measured:
        raise ValueError(
            f"{first.run_id} and {second.run_id} share no held-out source at the same numbers of shots: "
            "compare runs that were evaluated on some of the same sources"
        )
    return Comparison(
        first=first.run_id,
        second=second.run_id,
        differences=[*_settings(first, second), *_sources(first, second)],
        measured=measured,
        sentence=_sentence(first, second, measured),
    )


def _measure(first: RunFolder, second: RunFolder, role: Role) -> Iterator[Measured]:
    """The mean of all sources, then of each task type where there are several, then each source alone."""
    old, new = cells_of(first, role), cells_of(second, role)
    pairs = [(old[key], new[key]) for key in old if key in new]
    same = {cell.source for cell, _ in pairs if same_episodes(first, second, cell.source, role)}
    groups = {"all sources": pairs}
    task_types: list[TaskType] = list(dict.fromkeys(cell.task_type for cell, _ in pairs))
    if len(task_types) > 1:
        for task_type in task_types:
            groups[f"all of {task_type}"] = [each for each in pairs if each[0].task_type == task_type]
    for source in dict.fromkeys(cell.source for cell, _ in pairs):
        groups[source] = [each for each in pairs if each[0].source == source]
    for what, cells in groups.items():
        if cells:
            is_paired = all(cell.source in same for cell, _ in cells)
            yield Measured(
                role=role,
                what=what,
                first=mean_of_sources([cell for cell, _ in cells]),
                second=mean_of_sources([cell for _, cell in cells]),
                difference=paired(cells) if is_paired else unpaired(cells),
                is_paired=is_paired,
            )


def _settings(first: RunFolder, second: RunFolder) -> Iterator[Difference]:
    old, new = (
        _flat(run.config.model_dump(mode="json", exclude={"home", "engine", "tracking", "sources"}))
        for run in (first, second)
    )
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield Difference(what=name, first=_shown(old.get(name)), second=_shown(new.get(name)))


def _sources(first: RunFolder, second: RunFolder) -> Iterator[Difference]:
    """Sources that only one run has, or whose role, labels or rows differ; and the tokenizer."""
    old, new = ({source.name: source for source in run.config.sources} for run in (first, second))
    data, other = source_rows(first), source_rows(second)
    for name in dict.fromkeys([*old, *new]):
        a, b = _described(old.get(name), data), _described(new.get(name), other)
        if a == b and name in old and name in new:
            x, y = (_flat(s.model_dump(mode="json", exclude={"files"})) for s in (old[name], new[name]))
            fields = [field for field in sorted({*x, *y}) if x.get(field) != y.get(field)]
            a, b = (", ".join(f"{f}: {_shown(v.get(f))}" for f in fields) for v in (x, y))
        if a != b:
            yield Difference(what=f"source {name}", first=a, second=b)
    vocabularies = [run.corpus.tokenizer.fingerprint for run in (first, second)]
    if vocabularies[0] != vocabularies[1]:
        yield Difference(what="tokenizer", first=vocabularies[0], second=vocabularies[1])


def _described(source: Source | None, data: dict[str, str]) -> str:
    if source is None:
        return "absent"
    roles = source.role or "/".join(source.label_roles or {})
    return f"{roles}, data {data.get(source.name, 'unknown')}"


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, each in value.items():
        if isinstance(each, dict):
            flat |= _flat(each, f"{prefix}{name}.")
        else:
            flat[prefix + name] = each
    return flat


def _sentence(first: RunFolder, second: RunFolder, measured: list[Measured]) -> str:
    """The conclusion, from the test sources if both runs were evaluated on them, else from validation."""
    overall = [each for each in measured if each.what == "all sources"][-1]
    difference, way = overall.difference, "the same episodes" if overall.is_paired else "different episodes"
    if difference.is_gain:
        verdict = f"{second.run_id} is clearly better"
    elif difference.is_loss:
        verdict = f"{first.run_id} is clearly better"
    else:
        verdict = "neither run is clearly better"
    num_sources = len([e for e in measured if e.role == overall.role and not e.what.startswith("all ")])
    return (
        f"On the {count(num_sources, f'{overall.role} source')} of both runs, {verdict}: second minus first "
        f"is {difference.signed}, on {way}."
    )


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)
