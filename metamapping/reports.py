"""Reports: what a round measured, as plain values, and the tables people read.

A ``RoundReport`` holds the score of every evaluation episode, so that two rounds can be compared
episode by episode. Pure: no TensorFlow, no disk.

    paired_difference(report, report.untrained()).is_gain
    print(source_shots_markdown(report))

A loss that is not finite stands in JSON as the text ``"NaN"``, which any JSON reader takes and
which pydantic reads back as the number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from metamapping.config import TaskType
from metamapping.intervals import (
    CONFIDENCE,
    Estimate,
    Group,
    Population,
    bootstrap_mean,
    mean_with_interval,
)

if TYPE_CHECKING:
    import pandas as pd

    from metamapping.adjustment import Round


class Cell(BaseModel):
    """The scores of one held-out source at one number of shots.

    ``scores``: for each episode, in a fixed order, accuracy (for ``ner`` entity micro-F1), 0 to 1.
    ``baseline``: the untrained encoder's scores on the same episodes. ``ways``: labels of an episode,
    0 where they were not written down.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    source: str
    task_type: TaskType
    shots: int
    scores: list[float]
    baseline: list[float]
    ways: int = 0


class TrainingReport(BaseModel):
    """What the meta-steps of a round looked like.

    A round that is a mean of others has no steps, no losses of its sources, and as its loss the mean
    of theirs. ``agreements``: of each source's gradient with those of the others, a cosine.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")

    meta_steps: int
    seconds: float
    learning_rate: float
    loss: float  # mean query loss of the round's last quarter; NaN where training diverged
    source_losses: dict[str, float]  # mean query loss of each source over the round
    source_weights: dict[str, float]
    averaged: list[int] = []  # the rounds whose mean it is
    shares: list[float] = []  # of each of them in the mean
    agreements: dict[str, float] = {}
    frozen_layers: int = 0  # of the encoder, which another round could train
    bad_batch: str = ""  # folder beside the checkpoints with the batch whose loss was not finite


class RoundReport(BaseModel):
    """One round: training and the episodes of the validation sources."""

    model_config = ConfigDict(frozen=True)

    round: int  # from 1; 0 is the untrained encoder
    checkpoint: str
    training: TrainingReport
    cells: list[Cell]

    @property
    def sources(self) -> list[str]:
        """The held-out sources, in order of first appearance."""
        return list(dict.fromkeys(cell.source for cell in self.cells))

    def untrained(self) -> RoundReport:
        """Round 0: the untrained encoder on the same episodes."""
        cells = [cell.model_copy(update={"scores": cell.baseline}) for cell in self.cells]
        return self.model_copy(update={"round": 0, "cells": cells})


def training_of_mean(reports: Sequence[RoundReport], shares: Mapping[int, float]) -> TrainingReport:
    """What the training report says of a round that is a mean of rounds' weights.

    ``reports``: of all rounds from 1 on. ``shares``: of the rounds in the mean, 0 the untrained encoder.
    """
    averaged = [reports[number - 1].training for number in shares if number > 0]
    return averaged[-1].model_copy(
        update={
            "meta_steps": 0,
            "seconds": 0.0,
            "loss": float(np.mean([training.loss for training in averaged])),
            "source_losses": {},
            "averaged": list(shares),
            "shares": list(shares.values()),
            "agreements": {},
        }
    )


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


def source_shots_table(report: RoundReport) -> pd.DataFrame:
    """One row for each held-out source and number of shots.

    ``baseline``, ``score`` and ``difference`` are means over the cell's episodes; the score's and
    the difference's 95 % intervals (Student's) stand beside them as ``…_low`` and ``…_high``.
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


def rounds_table(history: Sequence[Round]) -> pd.DataFrame:
    """One row for each judged round: what it tried, what that brought, what was adjusted then.

    Accuracies are means over sources; intervals are 95 %, over sources and episodes. ``gain`` is
    over ``compared_with``, the last round with a clear gain; ``move`` is what the round tried.
    """
    import pandas as pd

    rows = []
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
    """``source_shots_table`` as Markdown, with a last row for the mean of all sources."""
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
            "**mean of sources**",
            "",
            f"{round_accuracy(report.untrained()).mean:.3f}",
            str(accuracy),
            gain.signed,
        ]
    )
    return markdown_table(["source", "shots", "untrained", "score", "difference"], rows)


def rounds_markdown(history: Sequence[Round]) -> str:
    """``rounds_table`` as Markdown."""
    rows = [
        [
            str(row["round"]),
            str(row["move"]) or "–",
            _interval(row, "accuracy"),
            f"{row['baseline']:.3f}",
            f"{_interval(row, 'gain', signed=True)} over {row['compared_with']}",
            str(row["verdict"]),
            str(row["adjusted"]) or "nothing",
        ]
        for row in rounds_table(history).to_dict("records")
    ]
    columns = ["round", "tried", "accuracy", "untrained", "gain over the round to beat", "verdict"]
    return markdown_table([*columns, "adjusted"], rows)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars and line breaks in a cell are made harmless."""
    lines = [list(columns), ["---"] * len(columns), *(list(row) for row in rows)]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _interval(row: Mapping[Any, Any], name: str, *, signed: bool = False) -> str:
    mean, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
    if math.isnan(mean):
        return "–"
    sign = "+" if signed else ""
    return f"{mean:{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}]"


def _shape(report: RoundReport) -> list[str]:
    return [f"{c.source} at {c.shots} shots, {len(c.scores)} episodes" for c in report.cells]
