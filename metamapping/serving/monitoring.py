"""Monitoring: what the server's tasks are used on, for Prometheus and for a log of predictions.

    monitor = Monitor(PredictionLog(Path("predictions.jsonl"), with_texts=False))
    monitor.observe("orders", mapping, texts, labels, None)
    list(monitor.collect())                       # drift of each task, whenever metrics are read

Of each task the last ``WINDOW`` texts are kept as two numbers each, however long the server runs; their
distribution is compared with the task's examples (``adaptation.drift``). A changed task starts again.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:  # these modules import TensorFlow
    from metamapping import Mapping
    from metamapping.adaptation.drift import Drift, Signals
    from metamapping.adaptation.state import TaskState

WINDOW = 1_000
# Fewer texts say little; the metrics begin with them.
MIN_WINDOW = 50
LOG_BYTES, LOG_FILES = 50_000_000, 5
_DIGITS = 4


class PredictionLog:
    """A file with a line of JSON for each prediction: `time`, `task`, `label`, `probability`, `similarity`.

    When it has ``LOG_BYTES`` it is renamed, and a new one is begun; the last ``LOG_FILES`` are kept.

    Args:
        path: The file; new lines are appended.
        with_texts: Whether the texts are written, too. They may be confidential.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path, *, with_texts: bool) -> None:
        self.with_texts = with_texts
        path.parent.mkdir(parents=True, exist_ok=True)
        if _is_unfinished(path):
            with path.open("a") as file:
                file.write("\n")
        self._handler = RotatingFileHandler(
            path, maxBytes=LOG_BYTES, backupCount=LOG_FILES - 1, encoding="utf-8"
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, line: dict[str, Any]) -> None:
        """Append a line.

        Args:
            line: Its values.
        """
        message = json.dumps(line, ensure_ascii=False)
        self._handler.handle(logging.LogRecord("", logging.INFO, "", 0, message, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


def _is_unfinished(path: Path) -> bool:
    """Whether the last line has no end, because an earlier server was killed."""
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


class Monitor:
    """The last predictions of each task, for any number of threads.

    Args:
        log: Where predictions are also written; ``None`` for nowhere.
    """

    def __init__(self, log: PredictionLog | None = None) -> None:
        self._log = log
        self._windows: dict[str, _Window] = {}
        self._lock = threading.Lock()

    def observe(
        self,
        task: str,
        mapping: Mapping,
        texts: Sequence[Any],
        labels: Sequence[Any],
        text_pairs: Sequence[str] | None,
    ) -> None:
        """Take note of predictions. Only tasks of one label a text that have examples are observed.

        Args:
            task: Name of the task.
            mapping: The task.
            texts: The texts, strings except for named entities.
            labels: Their predicted labels; those of empty texts are ``None``.
            text_pairs: Their second texts.
        """
        state = mapping.state
        if state.is_ner or state.is_multi_label or not state.support.num_examples:
            return
        # Of all texts, as they were predicted, so that none is encoded again; empty ones have no signals.
        signals = mapping.signals(texts, text_pairs=text_pairs)
        if not len(signals.probability):
            return
        self._window(task, state).add(signals)
        if self._log is None:
            return
        kept = [i for i, empty in enumerate(mapping.are_empty(texts, text_pairs=text_pairs)) if not empty]
        pairs = None if text_pairs is None else [text_pairs[i] for i in kept]
        self._write(task, [texts[i] for i in kept], [labels[i] for i in kept], pairs, signals)

    def forget(self, task: str) -> None:
        """Forget a task that was deleted.

        Args:
            task: Name of the task.
        """
        with self._lock:
            self._windows.pop(task, None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics of all tasks, as ``prometheus_client`` asks for them."""
        distance = GaugeMetricFamily(
            "metamapping_task_drift_distance",
            "Kolmogorov-Smirnov distance of the last texts from the task's examples, 0 to 1.",
            labels=("task", "measure"),
        )
        p_value = GaugeMetricFamily(
            "metamapping_task_drift_p_value",
            "Probability of such a distance if nothing has changed.",
            labels=("task", "measure"),
        )
        mean = GaugeMetricFamily(
            "metamapping_task_signal_mean",
            "Mean probability of the label, and mean similarity to the nearest example, of the last texts.",
            labels=("task", "measure"),
        )
        with self._lock:
            windows = sorted(self._windows.items())
        for task, window in windows:
            drift = window.drift()
            for measure in () if drift is None else drift.measures:
                distance.add_metric((task, measure.name), measure.statistic)
                p_value.add_metric((task, measure.name), measure.p_value)
                mean.add_metric((task, measure.name), measure.mean)
        yield from (distance, p_value, mean)

    def _window(self, task: str, state: TaskState) -> _Window:
        with self._lock:
            window = self._windows.get(task)
        if window is None or window.state is not state:
            window = _Window(state)
            with self._lock:
                self._windows[task] = window
        return window

    def _write(
        self,
        task: str,
        texts: Sequence[Any],
        labels: Sequence[Any],
        pairs: Sequence[str] | None,
        signals: Signals,
    ) -> None:
        assert self._log is not None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        for i, label in enumerate(labels):
            line = {
                "time": now,
                "task": task,
                "label": label,
                "probability": round(float(signals.probability[i]), _DIGITS),
                "similarity": round(float(signals.similarity[i]), _DIGITS),
            }
            if self._log.with_texts:
                line |= {"text": texts[i]} | ({} if pairs is None else {"text_pair": pairs[i]})
            self._log.write(line)


class _Window:
    """The signals of the last texts of a task in one state, and of its examples."""

    def __init__(self, state: TaskState) -> None:
        from metamapping.adaptation.drift import MIN_TEXTS, support_signals

        self.state = state
        self._lock = threading.Lock()
        self._last: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._drift: Drift | None = None
        self._is_new = False
        # Only ridge regressions know how they see an example without it, and a few examples tell nothing.
        is_known = state.solution.ridge is not None and state.support.num_examples >= MIN_TEXTS
        self._reference = support_signals(state) if is_known else None

    def add(self, signals: Signals) -> None:
        with self._lock:
            self._last.extend(zip(*(each.tolist() for each in signals), strict=True))
            self._is_new = True

    def drift(self) -> Drift | None:
        """The drift of the last texts; ``None`` as long as there are few."""
        from metamapping.adaptation.drift import Signals, measure_drift

        with self._lock:
            if self._reference is None or len(self._last) < MIN_WINDOW:
                return None
            if self._is_new:
                last = np.asarray(self._last)
                self._drift = measure_drift(self._reference, Signals(last[:, 0], last[:, 1]))
                self._is_new = False
            return self._drift
