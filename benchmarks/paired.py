"""Paired comparisons of methods over many cells: intervals, wins, ties and losses.

A cell is one source at one number of examples; each method has one accuracy for each draw of it, and all
methods see the same draws. Everything here is pure.

    compare(cell, "metamapping", "prototypes").is_loss
    outcome(cell, "metamapping", ["prototypes", "ridge classifier"])     # "win", "tie" or "loss"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from metamapping.rounds.intervals import CONFIDENCE, Estimate, bootstrap_mean, mean_with_interval

Cell = Mapping[str, Sequence[float]]  # the accuracies of each draw, by method
Cells = Mapping[tuple[str, int], Cell]  # by source and number of examples
Outcome = Literal["win", "tie", "loss"]


def compare(cell: Cell, ours: str, other: str, *, confidence: float = CONFIDENCE) -> Estimate:
    """How far one method is ahead of another in a cell, with Student's interval over draws.

    Args:
        cell: The accuracies of each draw.
        ours: The method that is judged.
        other: The method that it is compared with.
        confidence: Probability with which the interval contains the true difference.
    """
    return mean_with_interval(np.subtract(cell[ours], cell[other]).tolist(), confidence=confidence)


def outcome(cell: Cell, ours: str, others: Sequence[str], *, confidence: float = CONFIDENCE) -> Outcome:
    """Judge a cell against several methods at once.

    Args:
        cell: The accuracies of each draw.
        ours: The method that is judged.
        others: The methods that it is compared with.
        confidence: Of each interval.

    Returns:
        ``loss`` if any other method is ahead beyond noise; ``win`` if ours is ahead of all of them beyond
        noise; else ``tie``.
    """
    differences = [compare(cell, ours, other, confidence=confidence) for other in others]
    if any(each.is_loss for each in differences):
        return "loss"
    return "win" if all(each.is_gain for each in differences) else "tie"


def count_outcomes(
    cells: Cells, ours: str, others: Sequence[str], *, confidence: float = CONFIDENCE
) -> Counter[Outcome]:
    """Count wins, ties and losses over cells, as ``outcome`` judges them."""
    return Counter(outcome(cell, ours, others, confidence=confidence) for cell in cells.values())


def family_confidence(num_comparisons: int) -> float:
    """The confidence of each interval so that all hold together with 95 % (Bonferroni).

    Args:
        num_comparisons: Number of intervals.
    """
    return 1 - (1 - CONFIDENCE) / num_comparisons


def mean_gain(cells: Cells, ours: str, other: str) -> Estimate:
    """The mean over sources of how far ours is ahead, with a bootstrap interval over sources and draws.

    Args:
        cells: The cells to take the mean of, each source's with equal weight.
        ours: The method that is judged.
        other: The method that it is compared with.
    """
    groups: dict[str, list[np.ndarray]] = {}
    for (source, _), cell in cells.items():
        groups.setdefault(source, []).append(np.subtract(cell[ours], cell[other]))
    return bootstrap_mean(list(groups.values()))


def losses(cells: Cells, ours: str, others: Sequence[str]) -> list[str]:
    """One line for each method that is ahead of ours beyond noise in a cell.

    A star marks those that remain if all comparisons are to hold together.

    Args:
        cells: All cells.
        ours: The method that is judged.
        others: The methods that it is compared with.
    """
    strict = family_confidence(max(1, len(cells) * len(others)))
    lines = []
    for (source, shots), cell in cells.items():
        for other in others:
            difference = compare(cell, ours, other)
            if difference.is_loss:
                star = " *" if compare(cell, ours, other, confidence=strict).is_loss else ""
                lines.append(
                    f"{source}, {shots}: {percent(cell[ours])}, {other} {percent(cell[other])}, "
                    f"{signed_percent(difference)}{star}"
                )
    return lines


def percent(accuracies: Sequence[float]) -> str:
    """The mean in percent: ``81.3``."""
    return f"{100 * np.mean(accuracies):.1f}"


def signed_percent(difference: Estimate) -> str:
    """A difference in points: ``+3.3 [+0.9, +6.3]``."""
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
