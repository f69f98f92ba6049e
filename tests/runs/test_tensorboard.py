from __future__ import annotations

import struct
from pathlib import Path

import pytest
from tensorboard.compat.proto.event_pb2 import Event

from metamapping.rounds.statistics import round_accuracy
from metamapping.runs.tensorboard import TrainingCurve, write_round_curves
from tests.toy_rounds import toy_history


def points(folder: Path) -> list[tuple[int, str, float]]:
    """Every point of a folder's event files, in the order in which TensorBoard reads them."""
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            found += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
            data = data[12 + length + 4 :]
    return found


def test_every_meta_step_is_logged_with_its_number_loss_and_learning_rate(tmp_path):
    with TrainingCurve(tmp_path, round=2, first_step=100) as curve:
        curve.add(loss=0.5, learning_rate=0.25)
        curve.add(loss=0.75, learning_rate=0.125)
    assert points(tmp_path / "training") == [
        (101, "training/loss", 0.5),
        (101, "training/learning rate", 0.25),
        (102, "training/loss", 0.75),
        (102, "training/learning rate", 0.125),
    ]


def test_steps_are_written_before_the_round_ends(tmp_path):
    curve = TrainingCurve(tmp_path, round=1, first_step=0)
    curve.add(loss=0.5)
    assert points(tmp_path / "training") == [(1, "training/loss", 0.5)]


def test_a_repeated_round_is_written_once(tmp_path):
    reports = toy_history([0.6, 0.7], noise=0.02)
    for report in [*reports, reports[1]]:
        write_round_curves(tmp_path, report)
    for name in ("mean", "low", "high", "untrained"):
        steps = [step for step, tag, _ in points(tmp_path / name) if tag == "validation/accuracy"]
        assert steps == [1, 2]


def test_a_round_is_logged_with_its_mean_interval_baseline_and_task_types(tmp_path):
    (report,) = toy_history([0.6], noise=0.02)
    first, *rest = report.cells
    report = report.model_copy(update={"cells": [first.model_copy(update={"task_type": "ner"}), *rest]})
    write_round_curves(tmp_path, report)
    estimate = round_accuracy(report)
    for name in ("mean", "low", "high"):
        values = {tag: value for _, tag, value in points(tmp_path / name)}
        assert values["validation/accuracy"] == pytest.approx(getattr(estimate, name), abs=1e-6)
        assert set(values) == {"validation/accuracy", "validation/ner", "validation/text-classification"}
    assert points(tmp_path / "untrained")[0][2] == pytest.approx(0.5)
