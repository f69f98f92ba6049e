"""A run's rounds and meta-steps as TensorBoard event files.

``<run>/tensorboard/`` contains the folders ``training`` (loss and learning rate of every meta-step) and
``mean``, ``low``, ``high`` and ``untrained`` (accuracy on the validation sources by round, with its
interval and by task type), which TensorBoard draws into one chart: ``tensorboard --logdir
<run>/tensorboard``. Every round has an event file of its own, which a repeated stage overwrites, so no
point appears twice. TensorFlow is not needed; TensorBoard's writer is imported only when the first file is
written.

    with TrainingCurve(folder, round=2, first_step=100) as curve:
        curve.add(loss=0.7, learning_rate=3e-5)
    write_round_curves(folder, report)
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from metamapping.rounds.intervals import Estimate
from metamapping.rounds.records import RoundReport
from metamapping.rounds.statistics import round_accuracy

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event


class TrainingCurve:
    """The loss and learning rate of a round's meta-steps, written as they happen.

    Args:
        folder: The run's TensorBoard folder.
        round: Number of the round.
        first_step: Meta-steps of the run before this round.
    """

    def __init__(self, folder: Path, *, round: int, first_step: int) -> None:
        path = _event_file(folder / "training", round)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._step = first_step
        self._events = _Events(path)

    def __enter__(self) -> TrainingCurve:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.close()

    def add(self, *, loss: float, learning_rate: float | None = None) -> None:
        """Add the next meta-step.

        Args:
            loss: The loss of the step.
            learning_rate: The encoder's learning rate; ``None`` if it is no longer known.
        """
        self._step += 1
        values = {"training/loss": loss}
        if learning_rate is not None:
            values["training/learning rate"] = learning_rate
        self._events.add(self._step, values)


def write_round_curves(folder: Path, report: RoundReport) -> None:
    """Write the accuracy of a round on the validation sources.

    Args:
        folder: The run's TensorBoard folder.
        report: An evaluated round.
    """
    measured, before = _accuracies(report), _accuracies(report.untrained())
    curves: dict[str, dict[str, float]] = {
        "mean": {tag: each.mean for tag, each in measured.items()},
        "low": {tag: each.low for tag, each in measured.items()},
        "high": {tag: each.high for tag, each in measured.items()},
        "untrained": {tag: each.mean for tag, each in before.items()},
    }
    for name, values in curves.items():
        path = _event_file(folder / name, report.round)
        path.parent.mkdir(parents=True, exist_ok=True)
        events = _Events(path)
        events.add(report.round, values)
        events.close()


def _accuracies(report: RoundReport) -> dict[str, Estimate]:
    task_types = sorted({cell.task_type for cell in report.cells})
    accuracies = {f"validation/{kind}": round_accuracy(report, task_type=kind) for kind in task_types}
    return {"validation/accuracy": round_accuracy(report), **accuracies}


class _Events:
    """One event file, overwritten."""

    def __init__(self, path: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._file = path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2", wall_time=time.time()))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        points = [Summary.Value(tag=t, simple_value=v) for t, v in values.items() if math.isfinite(v)]
        self._write(Event(step=step, wall_time=time.time(), summary=Summary(value=points)))

    def close(self) -> None:
        self._file.close()

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())
        self._file.flush()


def _event_file(folder: Path, round: int) -> Path:
    # TensorBoard reads the files of a folder in the order of their names.
    return folder / f"events.out.tfevents.{round:06d}"
