"""The tables of a run's page, as plain values for its template.

gain_rows(report)                       # a row for each held-out source, and their mean
failure_groups(run, best)               # what is confused, by role
data_tables(run, history)               # sources, labels, rejects, suspicious labels
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from metamapping.errors import StoreError
from metamapping.html.charts import Mark, draw_bars
from metamapping.rounds.failures import SourceFailures
from metamapping.rounds.records import Round, RoundReport
from metamapping.rounds.statistics import paired_difference, round_accuracy
from metamapping.runs.corpus_notes import read_table
from metamapping.runs.folder import RunFolder
from metamapping.runs.suspicions import HELD_OUT
from metamapping.runs.suspicious_rows import suspicious_rows

MAX_ROWS, MAX_LABELS = 60, 40


def gain_rows(report: RoundReport) -> list[dict[str, Any]]:
    """The held-out sources of a report over all numbers of shots, and their mean in the last row.

    Args:
        report: A report with cells.
    """
    before = report.untrained()
    rows: list[dict[str, Any]] = []
    for source in report.sources:
        cells = [cell for cell in report.cells if cell.source == source]
        rows.append(
            {
                "source": source,
                "task_type": f"{cells[0].task_type}, {cells[0].metric}"
                if cells[0].metric
                else cells[0].task_type,
                "before": float(np.mean([np.mean(cell.baseline) for cell in cells])),
                "after": float(np.mean([np.mean(cell.scores) for cell in cells])),
                "gain": paired_difference(report, before, source=source),
            }
        )
    rows.append(
        {
            "source": "mean",
            "task_type": "",
            "before": round_accuracy(before).mean,
            "after": round_accuracy(report).mean,
            "gain": paired_difference(report, before),
        }
    )
    gains = [row["gain"] for row in rows]
    bars = draw_bars([Mark("", gain.mean, gain.low, gain.high) for gain in gains])
    return [{**row, "bar": bar} for row, bar in zip(rows, bars, strict=True)]


def read_failures(run: RunFolder, role: str, round: int) -> list[SourceFailures]:
    """Read where a round fails on the held-out sources of a role.

    Args:
        run: An opened run.
        role: ``validation`` or ``test``.
        round: The number of the round; 0 is the encoder before meta-training.

    Returns:
        The failures of each source; empty if they are not measured, or were by an earlier version.

    Raises:
        StoreError: The file is damaged.
    """
    result = run.read_result(f"{role}-{round}")
    try:
        return [SourceFailures.model_validate(each) for each in (result or {}).get("failures", [])]
    except (ValueError, TypeError) as error:
        raise StoreError(
            f"{run.result(f'{role}-{round}')} does not hold failures of episodes: remove it, and it is "
            "measured again"
        ) from error


def failure_groups(run: RunFolder, best: int | None) -> list[dict[str, Any]]:
    """Where the best round fails, for each role of held-out sources of which it is known.

    Args:
        run: An opened run.
        best: The number of the round; ``None`` if none is judged yet.
    """
    if best is None:
        return []
    groups = [{"role": role, "failures": read_failures(run, role, best)} for role in reversed(HELD_OUT)]
    return [group for group in groups if group["failures"]]


def data_tables(run: RunFolder, history: Sequence[Round]) -> dict[str, Any]:
    """Sources with rows and roles, their labels, the rows that were left out, and suspicious labels.

    Args:
        run: An opened run.
        history: Its judged rounds.
    """
    folder = _report_folder(run)
    losses = _losses(history)
    if folder is None:
        known = {tokens.name: tokens.counts.get("rows_out") for tokens in run.corpus.tokens}
        sources = [
            _source_row(
                {
                    "source": source.name,
                    "task type": source.task_type,
                    "role": source.role or "/".join(source.label_roles or {}),
                    "rows out": known.get(source.name),
                },
                losses,
            )
            for source in run.config.sources
        ]
        nothing: dict[str, Any] = {"labels": [], "rejects": [], "more_rejects": 0}
        return {"has_data_report": False, "sources": sources, **nothing, **_suspicious(run)}
    rejects = read_table(folder, "rejects").sort_values("rows", ascending=False, kind="stable")
    return {
        "has_data_report": True,
        "sources": [_source_row(row, losses) for row in _records(read_table(folder, "sources"))],
        "labels": _labels(folder),
        "rejects": [
            {
                "source": row["source"],
                "reason": str(row["reason"]).replace("_", " "),
                "rows": f"{row['rows']:,}",
                "example": _text(row["example"]),
            }
            for row in _records(rejects.head(MAX_ROWS))
        ],
        "more_rejects": max(0, len(rejects) - MAX_ROWS),
        **_suspicious(run),
    }


def _suspicious(run: RunFolder) -> dict[str, Any]:
    rows = [{name: _text(value) for name, value in row.items()} for row in suspicious_rows(run)]
    return {"suspicious": rows[:MAX_ROWS], "more_suspicious": max(0, len(rows) - MAX_ROWS)}


def _report_folder(run: RunFolder) -> Path | None:
    """The folder of the corpus's report; ``None`` if there is none, or it was removed."""
    try:
        return None if run.corpus.report is None else run.corpus.report.fetch()
    except (OSError, StoreError):
        return None


def _losses(history: Sequence[Round]) -> Mapping[str, float]:
    """The mean query loss of each train source in the best round, or in the last that was trained."""
    if not history:
        return {}
    best = history[-1].verdict.best_round
    trained = [judged.report.training for judged in history[: best or None]]
    return next((each.source_losses for each in reversed(trained) if each.source_losses), {})


def _source_row(row: Mapping[Any, Any], losses: Mapping[str, float]) -> dict[str, Any]:
    loss, truncated = losses.get(row["source"]), row.get("truncated")
    return {
        "name": row["source"],
        "task_type": row.get("task type", ""),
        "role": row.get("role", ""),
        "rows_in": _number(row.get("rows in")),
        "rows_out": _number(row.get("rows out")),
        "labels": _number(row.get("labels")),
        "rows_of": row.get("rows a label", ""),
        "truncated": "–" if truncated is None else f"{truncated:.0%}",
        "loss": "–" if loss is None else f"{loss:.3f}",
    }


def _labels(folder: Path) -> list[dict[str, Any]]:
    if not (folder / "labels.csv").is_file():
        return []
    return [
        {
            "name": name,
            "labels": [(_text(row["label"]), f"{row['rows']:,}") for row in _records(rows.head(MAX_LABELS))],
            "more": max(0, len(rows) - MAX_LABELS),
        }
        for name, rows in read_table(folder, "labels").groupby("source", sort=False)
    ]


def _records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    return table.to_dict("records")


def _number(value: Any) -> str:
    return "–" if value is None else f"{int(value):,}"


def _text(value: Any) -> str:
    """A cell as text; an empty one is read as NaN."""
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.3g}"
    return str(value)
