"""Tables of what rounds measured, as data frames and as Markdown.

Input: a round's report, or the judged rounds of a run. Output: a data frame with one row per measurement, or
the same as text for reports and model cards.

    print(source_shots_markdown(report))
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from metamapping.rounds.intervals import mean_with_interval
from metamapping.rounds.metrics import metric_of, score_name
from metamapping.rounds.records import Round, RoundReport
from metamapping.rounds.statistics import paired_difference, round_accuracy
from metamapping.rounds.wording import round_name, state_words

if TYPE_CHECKING:
    import pandas as pd


def source_shots_table(report: RoundReport) -> pd.DataFrame:
    """Build a table with one row per held-out source and number of shots.

    Args:
        report: The round's report.

    Returns:
        Columns ``source``, ``task_type``, ``metric``, ``shots``, ``episodes``, and the means over episodes
        ``baseline``, ``score`` and ``difference``; Student's 95 % intervals of the last two are in ``…_low``
        and ``…_high``.
    """
    import pandas as pd

    rows = []
    for cell in report.cells:
        score = mean_with_interval(cell.scores)
        difference = mean_with_interval(list(np.subtract(cell.scores, cell.baseline)))
        rows.append(
            {
                "source": cell.source,
                "task_type": cell.task_type,
                "metric": metric_of(cell),
                "shots": cell.shots,
                "episodes": len(cell.scores),
                "baseline": float(np.mean(cell.baseline)),
                "score": score.mean,
                "score_low": score.low,
                "score_high": score.high,
                "difference": difference.mean,
                "difference_low": difference.low,
                "difference_high": difference.high,
            }
        )
    return pd.DataFrame(rows)


def measures_table(report: RoundReport) -> list[dict[str, Any]]:
    """What was measured in addition to the scores: micro-F1 of several labels, error and kappa of grades.

    Args:
        report: The round's report.

    Returns:
        A row for each source and measure, over all numbers of shots: ``source``, ``measure``, and the means
        ``before`` and ``after`` meta-training. The mean of the source's scores, which decide, comes first.
    """
    rows: list[dict[str, Any]] = []
    for source in report.sources:
        cells = [cell for cell in report.cells if cell.source == source]
        if not cells[0].measures:
            continue
        pairs = {metric_of(cells[0]): [(cell.baseline, cell.scores) for cell in cells]}
        for name in cells[0].measures:
            pairs[name] = [(cell.baseline_measures.get(name, []), cell.measures[name]) for cell in cells]
        for name, of_cells in pairs.items():
            before, after = ([value for cell in of_cells for value in cell[side]] for side in (0, 1))
            rows.append(
                {
                    "source": source,
                    "measure": name,
                    "before": float(np.mean(before)) if before else math.nan,
                    "after": float(np.mean(after)),
                }
            )
    return rows


def measures_markdown(report: RoundReport) -> str:
    """Format ``measures_table`` as Markdown; empty if nothing else was measured.

    Args:
        report: What the round measured.
    """
    rows = [
        [str(row["source"]), str(row["measure"]), f"{row['before']:.3f}", f"{row['after']:.3f}"]
        for row in measures_table(report)
    ]
    if not rows:
        return ""
    return markdown_table(["source", "measure", "before meta-training", "after"], rows)


def rounds_table(history: Sequence[Round]) -> pd.DataFrame:
    """Build a table with one row per judged round: what it tried, what it gained, what was adjusted after it.

    Args:
        history: The judged rounds, from round 1 on.

    Returns:
        Among others the columns ``move``, what the round tried; ``accuracy``, the mean over sources;
        ``gain``, over the reference round ``compared_with``; ``adjusted``, the changes before the next round.
        The 95 % bootstrap intervals over sources and episodes are in ``…_low`` and ``…_high``.
    """
    import pandas as pd

    rows = []
    # A round's record names the move that the next round tries.
    moves = ["", *(judged.move for judged in history)]
    for judged, move in zip(history, moves, strict=False):
        report, verdict = judged.report, judged.verdict
        accuracy = round_accuracy(report)
        rows.append(
            {
                "round": report.round,
                "move": move,
                "accuracy": accuracy.mean,
                "accuracy_low": accuracy.low,
                "accuracy_high": accuracy.high,
                "baseline": round_accuracy(report.untrained()).mean,
                "gain": math.nan if verdict.gain is None else verdict.gain,
                "gain_low": math.nan if verdict.gain_low is None else verdict.gain_low,
                "gain_high": math.nan if verdict.gain_high is None else verdict.gain_high,
                "compared_with": verdict.compared_with,
                "verdict": verdict.state,
                "best_round": verdict.best_round,
                "sentence": verdict.sentence,
                "adjusted": "; ".join(str(adjustment) for adjustment in judged.adjustments),
            }
        )
    return pd.DataFrame(rows)


def source_shots_markdown(report: RoundReport) -> str:
    """Format ``source_shots_table`` as Markdown, with a last row for the mean over sources.

    Args:
        report: What the round measured.
    """
    rows = [
        [
            str(row["source"]),
            str(row["shots"]),
            f"{row['baseline']:.3f}",
            _interval(row, "score"),
            _interval(row, "difference", signed=True),
        ]
        for row in source_shots_table(report).to_dict("records")
    ]
    accuracy, gain = round_accuracy(report), paired_difference(report, report.untrained())
    rows.append(
        [
            "**mean over sources**",
            "",
            f"{round_accuracy(report.untrained()).mean:.3f}",
            str(accuracy),
            gain.signed,
        ]
    )
    return markdown_table(["source", "shots", "before meta-training", "after", "gain"], rows)


def rounds_markdown(history: Sequence[Round]) -> str:
    """Format ``rounds_table`` as Markdown.

    Args:
        history: The judged rounds of a run, in order.
    """
    rows = [
        [
            str(row["round"]),
            str(row["move"]) or "–",
            _interval(row, "accuracy"),
            f"{row['baseline']:.3f}",
            f"{_interval(row, 'gain', signed=True)} over {round_name(judged.verdict.compared_with)}",
            state_words(judged.verdict),
            str(row["adjusted"]) or "nothing",
        ]
        for judged, row in zip(history, rounds_table(history).to_dict("records"), strict=True)
    ]
    name = score_name(history[0].report) if history else "score"
    columns = ["round", "tried", name, "before meta-training", "gain over the reference round"]
    return markdown_table([*columns, "verdict", "next"], rows)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table.

    Args:
        columns: The column headings.
        rows: The cells of each row; vertical bars are escaped and line breaks become spaces.

    Returns:
        The table, without a line break at its end.
    """
    lines = [list(columns), ["---"] * len(columns), *(list(row) for row in rows)]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _interval(row: Mapping[Any, Any], name: str, *, signed: bool = False) -> str:
    mean, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if math.isnan(mean):
        return "–"
    sign = "+" if signed else ""
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"
