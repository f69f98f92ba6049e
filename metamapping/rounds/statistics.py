"""Statistics: what the scores and losses of rounds say, as pure functions of their records."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from metamapping.config.schema import TaskType
from metamapping.rounds.intervals import (
    CONFIDENCE,
    ROUNDING,
    Estimate,
    Group,
    Population,
    bootstrap_mean,
    mean_with_interval,
)
from metamapping.rounds.records import Round, RoundReport


def round_accuracy(
    report: RoundReport,
    *,
    task_type: TaskType | None = None,
    population: Population = "sources",
) -> Estimate:
    """Mean score over sources, each the mean of its cells, with its bootstrap interval.

    With a ``task_type``, over the sources of that type alone.
    """
    groups: dict[str, list[np.ndarray]] = {}
    for cell in report.cells:
        if task_type in (None, cell.task_type):
            groups.setdefault(cell.source, []).append(np.array(cell.scores))
    return bootstrap_mean(list(groups.values()), population=population)


def paired_difference(
    new: RoundReport,
    old: RoundReport,
    *,
    source: str | None = None,
    population: Population = "sources",
    confidence: float = CONFIDENCE,
) -> Estimate:
    """How much better ``new`` is than ``old``: mean and interval of the episodes' differences.

    Both met the same episodes, so what makes an episode easy or hard cancels out. With a ``source``,
    over its episodes alone. Raises ``ValueError`` where the episodes are not the same.
    """
    check_same_episodes(new, old)
    groups: dict[str, list[np.ndarray]] = {}
    for cell, before in zip(new.cells, old.cells, strict=True):
        if source in (None, cell.source):
            difference = np.array(cell.scores) - np.array(before.scores)
            groups.setdefault(cell.source, []).append(difference)
    values: list[Group] = list(groups.values())
    return bootstrap_mean(values, population=population, confidence=confidence)


def check_same_episodes(new: RoundReport, old: RoundReport) -> None:
    """Raise a ``ValueError`` that names the first cell in which two rounds differ."""
    for report in (new, old):
        for cell in report.cells:
            if len(cell.scores) != len(cell.baseline):
                raise ValueError(
                    f"round {report.round}: {cell.source} at {cell.shots} shots has "
                    f"{len(cell.scores)} scores and {len(cell.baseline)} of the untrained encoder; "
                    "they must come from the same episodes: evaluate the round again"
                )
    for a, b in itertools.zip_longest(_shape(new), _shape(old), fillvalue="nothing"):
        if a != b:
            raise ValueError(
                f"rounds {new.round} and {old.round} were evaluated on different episodes ({a} against "
                f"{b}): rounds are compared episode by episode, so evaluate both with the same "
                "configuration"
            )


def _shape(report: RoundReport) -> list[str]:
    return [f"{c.source} at {c.shots} shots, {len(c.scores)} episodes" for c in report.cells]


def trained_rounds(rounds: Sequence[Round]) -> list[RoundReport]:
    """The rounds with losses that can be compared: trained, and not diverged."""
    return [r.report for r in rounds if not r.verdict.diverged and not r.report.training.averaged]


def remaining_losses(reports: Sequence[RoundReport]) -> dict[str, float]:
    """For each train source its last finite loss over its first one; needs two such rounds of it.

    Levels of loss cannot be compared between sources: twelve ways start at ln 12, two at ln 2.
    """
    seen: dict[str, list[float]] = {}
    for report in reports:
        for source, loss in report.training.source_losses.items():
            if math.isfinite(loss) and loss > 0:
                seen.setdefault(source, []).append(loss)
    return {source: losses[-1] / losses[0] for source, losses in seen.items() if len(losses) > 1}


def loss_change(reports: Sequence[RoundReport]) -> float | None:
    """The median source's loss in the last round over that in the round before; ``None`` before two."""
    ratios = list(remaining_losses(reports[-2:]).values())
    return float(np.median(ratios)) if ratios else None


def mean_agreements(reports: Sequence[RoundReport]) -> dict[str, float]:
    """For each source the mean over rounds of its gradient's agreement with the others'."""
    seen: dict[str, list[float]] = {}
    for report in reports:
        for source, agreement in report.training.agreements.items():
            seen.setdefault(source, []).append(agreement)
    return {source: float(np.mean(values)) for source, values in seen.items()}


def weakest_shots(report: RoundReport) -> int | None:
    """The fewest or the most shots, where clearly less of the untrained encoder's error is gone.

    Compared is ``1 − error / untrained error``, source by source, so that the little that is left to
    gain with many shots is no weakness. Zero shots do not count: one split of every batch has none.
    ``None`` where nothing is clear, with fewer than two numbers of shots or two sources.
    """
    shots = _few_shots(report)
    whole = [by_shots for by_shots in _removed_errors(report).values() if len(by_shots) == len(shots)]
    if len(shots) < 2 or len(whole) < 2:
        return None
    for candidate in (min(shots), max(shots)):
        others = [k for k in shots if k != candidate]
        behind = [float(np.mean([s[k] for k in others])) - s[candidate] for s in whole]
        if mean_with_interval(behind).is_gain:
            return candidate
    return None


def weakest_ways(report: RoundReport) -> int | None:
    """The fewest or the most labels of an episode, where clearly less of the untrained error is gone.

    Compared as in ``weakest_shots``, between the sources with the fewest labels and those with the most:
    other sources, so by Welch's interval of the difference of two means (``scipy.stats.ttest_ind``).
    ``None`` where nothing is clear, or either are fewer than two.
    """
    ways, removed = _ways_of(report), _removed_errors(report)
    if not ways or min(ways.values()) == max(ways.values()):
        return None
    fewest, most = min(ways.values()), max(ways.values())
    means = {source: float(np.mean(list(by_shots.values()))) for source, by_shots in removed.items()}
    few = [mean for source, mean in means.items() if ways.get(source) == fewest]
    many = [mean for source, mean in means.items() if ways.get(source) == most]
    if min(len(few), len(many)) < 2 or not np.isfinite([*few, *many]).all():
        return None
    from scipy.stats import ttest_ind  # a second, which a round without this move need not wait for

    behind = ttest_ind(few, many, equal_var=False).confidence_interval(CONFIDENCE)
    if behind.high < -ROUNDING:
        return fewest
    return most if behind.low > ROUNDING else None


def _removed_errors(report: RoundReport) -> dict[str, dict[int, float]]:
    """``1 − error / untrained error`` of each source at each number of shots but none."""
    removed: dict[str, dict[int, float]] = {}
    for cell in report.cells:
        untrained = 1.0 - float(np.mean(cell.baseline))
        if cell.shots > 0 and untrained > 0:
            gain = float(np.mean(cell.scores)) - float(np.mean(cell.baseline))
            removed.setdefault(cell.source, {})[cell.shots] = gain / untrained
    return removed


def _ways_of(report: RoundReport) -> dict[str, int]:
    """Labels of an episode, by source; named entities, which are counted otherwise, left out."""
    return {cell.source: cell.ways for cell in report.cells if cell.ways and cell.task_type != "ner"}


def _few_shots(report: RoundReport) -> set[int]:
    return {cell.shots for cell in report.cells if cell.shots > 0}
