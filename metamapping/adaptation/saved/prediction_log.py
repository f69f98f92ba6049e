"""Prediction log: how a task saw the texts that it was used on, as the server wrote it.

    signals_of_rows([{"probability": 0.9, "similarity": 0.8}])     # or None, if rows have texts instead
    read_log_signals(Path("predictions.jsonl"), task="orders")
    drift_of_log(Path("tasks/orders"), Path("predictions.jsonl")).sentence

A line of the log is an object with `time`, `task`, `label`, `probability` and `similarity`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from metamapping.adaptation.drift import (
    FALSE_ALARM_RATE,
    Drift,
    Signals,
    measure_drift,
    support_signals,
)
from metamapping.adaptation.saved.task_folder import read_task
from metamapping.errors import listed

# How the server begins a line: one that does not end was being written, or the server was killed.
_BEGINNING = b'{"time": '
_MAX_LINE_BYTES = 10_000_000


def signals_of_rows(rows: Sequence[Mapping[str, Any]], *, task: str | None = None) -> Signals | None:
    """Return the signals of rows of a log, or ``None`` if these are other rows.

    Args:
        rows: The rows.
        task: Name of the task; default: the only one of the rows.

    Raises:
        ValueError: The log has several tasks of which none is named, or none of that name, or a row has no
            number where it should have one.
    """
    if not rows or not all(name in rows[0] for name in Signals._fields):
        return None
    names = dict.fromkeys(str(row["task"]) for row in rows if row.get("task") is not None)
    if task is None and len(names) > 1:
        raise ValueError(f"the log has several tasks ({listed(list(names))}): name one of them")
    if task is not None and names:
        if task not in names:
            raise ValueError(f"the log has no task {task!r}, but {listed(list(names))}")
        rows = [row for row in rows if str(row.get("task")) == task]
    return Signals(*(np.array([_number(row, name) for row in rows]) for name in Signals._fields))


def drift_of_log(
    folder: Path,
    log: Path,
    *,
    before: Path | None = None,
    task: str | None = None,
    false_alarm_rate: float = FALSE_ALARM_RATE,
) -> Drift:
    """Compare the predictions of a log with the examples of the task, or with an earlier log.

    No encoder is loaded.

    Args:
        folder: The folder of the task.
        log: The log.
        before: The earlier log.
        task: As for ``signals_of_rows``.
        false_alarm_rate: As for ``measure_drift``.

    Raises:
        FileNotFoundError: There is no such task or log.
        StoreError: The folder of the task is damaged.
        ValueError: As for ``read_log_signals`` and ``measure_drift``.
    """
    now = read_log_signals(log, task=task)
    if before is None:
        reference = support_signals(read_task(folder).state)
    else:
        reference = read_log_signals(before, task=task)
    return measure_drift(reference, now, false_alarm_rate=false_alarm_rate)


def is_log(path: Path) -> bool:
    """Whether the first line of a file that was finished is one of the server's.

    Args:
        path: The file; there may be none.
    """
    if not path.is_file():
        return False
    with path.open("rb") as file:
        while (line := file.readline(_MAX_LINE_BYTES)).startswith(_BEGINNING):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            return isinstance(row, dict) and all(name in row for name in Signals._fields)
    return False


def read_log_signals(path: Path, *, task: str | None = None) -> Signals:
    """Read the signals of a task from a log. Lines that the server could not finish are left out.

    Args:
        path: The file.
        task: As for ``signals_of_rows``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no log, or as ``signals_of_rows``.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no log {path}: check its path, and start `serve` with --log")
    rows = []
    with path.open("rb") as file:  # an unfinished line may end within a character
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                if line.startswith(_BEGINNING) or _BEGINNING.startswith(line.strip()):
                    continue
                row = None
            if not isinstance(row, dict):
                raise ValueError(f"{path}: line {number} is no object of JSON, as `serve --log` writes it")
            rows.append(row)
    signals = signals_of_rows(rows, task=task)
    if signals is None:
        raise ValueError(
            f"{path} has no predictions with `probability` and `similarity`, as `serve --log` writes them"
        )
    return signals


def _number(row: Mapping[str, Any], name: str) -> float:
    try:
        number = float(row[name])
        if not math.isfinite(number):
            raise ValueError("it is not finite")
        return number
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ValueError(
            f"a row of the log has {row.get(name)!r:.80} as `{name}`: expected a number from 0 to 1"
        ) from None
