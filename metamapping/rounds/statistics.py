"""Statistics of rounds: accuracies, gains and trends in losses.

Input: the records of one or more rounds. Output: an ``Estimate`` or a few numbers. All functions are pure.

    paired_difference(report, report.untrained()).is_gain
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from metamapping.config.sources import TaskType
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
    """Compute a round's accuracy: the mean score over sources, each the mean of its cells.

    Args:
        report: The round's report.
        task_type: Restrict the mean to sources of this task type.
        population: What the interval generalises to: other sources, or other episodes of these sources.

    Returns:
        The mean and its 95 % bootstrap interval.
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
    """Compute how much better ``new`` is than ``old``, from the differences of the episodes' scores.

    Both rounds were measured on the same episodes, so the difficulty of an episode cancels out.

    Args:
        new: The report of one round.
        old: The report of the round to compare it with.
        source: Restrict the comparison to the episodes of this source.
        population: What the interval generalises to: other sources, or other episodes of these sources.
        confidence: Probability with which the interval contains the true difference, 0 to 1.

    Returns:
        The mean difference and its bootstrap interval.

    Raises:
        ValueError: If the rounds were measured on different episodes.
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
    """Check that two rounds were measured on the same episodes.

    Args:
        new: The report of one round.
        old: The report of another round.

    Raises:
        ValueError: If they were not; the message names the first cell in which they differ.
    """
    for report in (new, old):
        for cell in report.cells:
            if len(cell.scores) != len(cell.baseline):
                raise ValueError(
                    f"round {report.round}: {cell.source} at {cell.shots} shots has "
                    f"{len(cell.scores)} scores and {len(cell.baseline)} of the encoder before "
                    "meta-training, which must come from the same episodes: evaluate the round again"
                )
    for one, other in itertools.zip_longest(_cell_names(new), _cell_names(old), fillvalue="nothing"):
        if one != other:
            raise ValueError(
                f"rounds {new.round} and {old.round} were evaluated on different episodes ({one} against "
                f"{other}): rounds are compared episode by episode, so evaluate both with the same "
                "configuration"
            )


def _cell_names(report: RoundReport) -> list[str]:
    return [f"{c.source} at {c.shots} shots, {len(c.scores)} episodes" for c in report.cells]


def trained_rounds(rounds: Sequence[Round]) -> list[RoundReport]:
    """Return the reports of rounds whose losses can be compared: trained, and not diverged.

    Args:
        rounds: Judged rounds, in order.

    Returns:
        Their reports, in the same order.
    """
    return [r.report for r in rounds if not r.verdict.diverged and not r.report.training.averaged]


def remaining_losses(reports: Sequence[RoundReport]) -> dict[str, float]:
    """Compute the share of its first loss that each train source still has.

    The loss levels of different sources cannot be compared, as a source with twelve labels starts at ln 12
    and one with two labels at ln 2. The shares can.

    Args:
        reports: The reports of trained rounds, in order.

    Returns:
        For each source its last finite loss divided by its first one; sources with fewer than two are left
        out.
    """
    seen: dict[str, list[float]] = {}
    for report in reports:
        for source, loss in report.training.source_losses.items():
            if math.isfinite(loss) and loss > 0:
                seen.setdefault(source, []).append(loss)
    return {source: losses[-1] / losses[0] for source, losses in seen.items() if len(losses) > 1}


def loss_change(reports: Sequence[RoundReport]) -> float | None:
    """Compute the median over sources of the last round's loss divided by the loss of the round before.

    Args:
        reports: The reports of trained rounds, in order.

    Returns:
        The median ratio; ``None`` where no source has losses in both rounds.
    """
    ratios = list(remaining_losses(reports[-2:]).values())
    return float(np.median(ratios)) if ratios else None


def mean_gradient_similarities(reports: Sequence[RoundReport]) -> dict[str, float]:
    """Compute for each source the mean over rounds of its gradient's cosine similarity to the others'.

    Args:
        reports: The reports of trained rounds.

    Returns:
        The mean similarity, -1 to 1, of each source for which any was measured.
    """
    seen: dict[str, list[float]] = {}
    for report in reports:
        for source, similarity in report.training.agreements.items():
            seen.setdefault(source, []).append(similarity)
    return {source: float(np.mean(values)) for source, values in seen.items()}


def weakest_shots(report: RoundReport) -> int | None:
    """Find the number of shots at which training has clearly helped least.

    The measure is the share of the untrained encoder's error that training removed, ``1 − error / untrained
    error``, compared within each source; so a small gain does not count as a weakness if little error was
    left. Zero shots are left out, because one split of every training batch is zero-shot anyway.

    Args:
        report: The round's report.

    Returns:
        The fewest or the most shots; ``None`` where neither is clearly weakest, or where there are fewer than
        two numbers of shots or fewer than two sources measured at all of them.
    """
    shots = positive_shots(report)
    complete = [by_shots for by_shots in _removed_errors(report).values() if len(by_shots) == len(shots)]
    if len(shots) < 2 or len(complete) < 2:
        return None
    for candidate in (min(shots), max(shots)):
        others = [k for k in shots if k != candidate]
        deficits = [
            float(np.mean([by_shots[k] for k in others])) - by_shots[candidate] for by_shots in complete
        ]
        if mean_with_interval(deficits).is_gain:
            return candidate
    return None


def weakest_ways(report: RoundReport) -> int | None:
    """Find the number of labels per episode at which training has clearly helped least.

    The measure is that of ``weakest_shots``. The sources with the fewest labels and those with the most
    labels are different sources, so they are compared by Welch's interval of the difference of two means
    (``scipy.stats.ttest_ind``).

    Args:
        report: The round's report.

    Returns:
        The fewest or the most labels; ``None`` where neither is clearly weaker, or where either group has
        fewer than two sources.
    """
    ways, removed = ways_by_source(report), _removed_errors(report)
    if not ways or min(ways.values()) == max(ways.values()):
        return None
    fewest, most = min(ways.values()), max(ways.values())
    means = {source: float(np.mean(list(by_shots.values()))) for source, by_shots in removed.items()}
    few = [mean for source, mean in means.items() if ways.get(source) == fewest]
    many = [mean for source, mean in means.items() if ways.get(source) == most]
    if min(len(few), len(many)) < 2 or not np.isfinite([*few, *many]).all():
        return None
    # Importing scipy.stats takes a second, so it is only imported when it is needed.
    from scipy.stats import ttest_ind

    difference = ttest_ind(few, many, equal_var=False).confidence_interval(CONFIDENCE)
    if difference.high < -ROUNDING:
        return fewest
    return most if difference.low > ROUNDING else None


def positive_shots(report: RoundReport) -> set[int]:
    """Return the numbers of shots that a round was measured at, without zero shots.

    Args:
        report: What the round measured.
    """
    return {cell.shots for cell in report.cells if cell.shots > 0}


def ways_by_source(report: RoundReport) -> dict[str, int]:
    """Return the labels per episode of each source.

    NER sources are left out, because their episodes count entity types in another way.

    Args:
        report: What the round measured.

    Returns:
        Number of labels by source.
    """
    return {cell.source: cell.ways for cell in report.cells if cell.ways and cell.task_type != "ner"}


def _removed_errors(report: RoundReport) -> dict[str, dict[int, float]]:
    """``1 − error / untrained error`` of each source at each number of shots except zero."""
    removed: dict[str, dict[int, float]] = {}
    for cell in report.cells:
        untrained = 1.0 - float(np.mean(cell.baseline))
        if cell.shots > 0 and untrained > 0:
            gain = float(np.mean(cell.scores)) - float(np.mean(cell.baseline))
            removed.setdefault(cell.source, {})[cell.shots] = gain / untrained
    return removed
