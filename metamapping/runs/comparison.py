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

import numpy as np
from pydantic import BaseModel, ConfigDict

from metamapping.config.sources import Role, Source, TaskType
from metamapping.errors import StoreError
from metamapping.rounds.intervals import (
    CONFIDENCE,
    UNKNOWN,
    Estimate,
    bootstrap_mean,
    mean_with_interval,
)
from metamapping.rounds.records import CellScores
from metamapping.rounds.tables import markdown_table
from metamapping.rounds.wording import count
from metamapping.runs.folder import RunFolder
from metamapping.runs.source_data import source_rows

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
    paired = {cell.source for cell, _ in pairs if same_episodes(first, second, cell.source, role)}
    groups = {"all sources": pairs}
    task_types: list[TaskType] = list(dict.fromkeys(cell.task_type for cell, _ in pairs))
    if len(task_types) > 1:
        for task_type in task_types:
            groups[f"all of {task_type}"] = [each for each in pairs if each[0].task_type == task_type]
    for source in dict.fromkeys(cell.source for cell, _ in pairs):
        groups[source] = [each for each in pairs if each[0].source == source]
    for what, cells in groups.items():
        if cells:
            is_paired = all(cell.source in paired for cell, _ in cells)
            yield Measured(
                role=role,
                what=what,
                first=_mean([cell for cell, _ in cells]),
                second=_mean([cell for _, cell in cells]),
                difference=_paired(cells) if is_paired else unpaired(cells),
                is_paired=is_paired,
            )


def _paired(cells: list[tuple[CellScores, CellScores]]) -> Estimate:
    groups: dict[str, list[np.ndarray]] = {}
    for old, new in cells:
        groups.setdefault(old.source, []).append(np.subtract(new.scores, old.scores))
    return bootstrap_mean(list(groups.values()))


def unpaired(cells: list[tuple[CellScores, CellScores]]) -> Estimate:
    """Estimate the mean difference of cells that were measured on different episodes.

    Args:
        cells: The cells of the old and the new run.

    Returns:
        Student's interval over the differences of several sources; for one source, Welch's over episodes.
    """
    by_source: dict[str, list[tuple[CellScores, CellScores]]] = {}
    for each in cells:
        by_source.setdefault(each[0].source, []).append(each)
    if len(by_source) > 1:
        means = [
            _mean([new for _, new in own]) - _mean([old for old, _ in own]) for own in by_source.values()
        ]
        return mean_with_interval(means)
    old, new = (np.concatenate([each[i].scores for each in cells]) for i in (0, 1))
    mean = float(new.mean() - old.mean())
    if not np.isfinite(mean) or min(len(old), len(new)) < 2:
        return UNKNOWN.model_copy(update={"mean": mean})
    from scipy.stats import ttest_ind  # takes a second to import, and is only needed here

    interval = ttest_ind(new, old, equal_var=False).confidence_interval(CONFIDENCE)
    return Estimate(mean=mean, low=float(interval.low), high=float(interval.high))


def _mean(cells: list[CellScores]) -> float:
    """The mean over sources, each of which counts by the mean of its cells."""
    by_source: dict[str, list[float]] = {}
    for cell in cells:
        by_source.setdefault(cell.source, []).append(float(np.mean(cell.scores)))
    return float(np.mean([np.mean(means) for means in by_source.values()]))


def cells_of(run: RunFolder, role: Role) -> dict[tuple[str, int], CellScores]:
    """Read the scores of a run's best round on the held-out sources of a role.

    Args:
        run: The run.
        role: ``validation`` or ``test``.

    Returns:
        The scores by source and number of shots; empty if they were not measured.

    Raises:
        ConfigError: The run does not exist.
        StoreError: The file of scores is damaged.
        ValueError: The run has no judged round yet.
    """
    name = f"{role}-{best_round(run)}"
    result = run.read_result(name)
    try:
        cells = [CellScores.model_validate(cell) for cell in result["cells"]] if result else []
    except (ValueError, LookupError, TypeError) as error:
        raise StoreError(
            f"{run.result(name)} does not hold scores: remove it, and evaluating again will rebuild it"
        ) from error
    return {(cell.source, cell.shots): cell for cell in cells}


def best_round(run: RunFolder) -> int:
    """Return the number of the round to publish.

    Args:
        run: The run.

    Returns:
        The best round according to the last verdict; 0 is the encoder before meta-training.

    Raises:
        ConfigError: The run does not exist.
        StoreError: A file of the run is damaged.
        ValueError: The run has no judged round yet.
    """
    run_name = run.config.name  # raises if the run does not exist
    history = run.read_history()
    if not history:
        raise ValueError(
            f"run {run.run_id} of {run_name!r} has no judged round yet: let it finish a round before "
            "comparing it"
        )
    return history[-1].verdict.best_round


def same_episodes(first: RunFolder, second: RunFolder, source: str, role: Role) -> bool:
    """Whether both runs drew a source's episodes from the same rows by the same rules.

    Args:
        first: One run.
        second: The other run.
        source: Name of the source.
        role: ``validation`` or ``test``.
    """
    a, b = first.config, second.config
    if (a.seed, a.evaluation) != (b.seed, b.evaluation):
        return False
    one, other = (next((s for s in config.sources if s.name == source), None) for config in (a, b))
    if one is None or other is None:
        return False
    # The order of grades is that of the labels which episodes are drawn from.
    labels = [((each.label_roles or {}).get(role), each.ordinal) for each in (one, other)]
    return _data(first).get(source) == _data(second).get(source) and labels[0] == labels[1]


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


def _data(run: RunFolder) -> dict[str, str]:
    return {tokens.name: tokens.fingerprint for tokens in run.corpus.tokens}


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
