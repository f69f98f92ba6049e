"""Metrics: what the scores of a round are called.

metric_of(cell)                # "accuracy", "macro-F1" or "entity F1"
score_name(report)             # the same if all sources have one, else "score"
"""

from __future__ import annotations

from metamapping.rounds.records import CellScores, RoundReport


def metric_of(cell: CellScores) -> str:
    """The name of a cell's scores.

    Args:
        cell: The scores of a source at one number of shots.
    """
    return cell.metric or ("entity F1" if cell.task_type == "ner" else "accuracy")


def score_name(report: RoundReport) -> str:
    """What the mean over the sources of a round is a mean of.

    Args:
        report: The round's report.

    Returns:
        The metric of all sources, or ``score`` if they have several.
    """
    metrics = {metric_of(cell) for cell in report.cells}
    return metrics.pop() if len(metrics) == 1 else "score"


def score_names(report: RoundReport) -> str:
    """As ``score_name``, with the metrics in brackets if there are several: ``score (accuracy, macro-F1)``.

    Args:
        report: The round's report.
    """
    metrics = sorted({metric_of(cell) for cell in report.cells})
    return metrics[0] if len(metrics) == 1 else f"score ({', '.join(metrics)})"
