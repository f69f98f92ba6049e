from __future__ import annotations

import math
import subprocess
import sys

import pytest

from metamapping.config.rounds import ConvergenceSpec
from metamapping.rounds.records import Adjustment, Round, RoundReport
from metamapping.rounds.verdict import judge
from metamapping.runs.plots import learning_curve_png
from tests.toy_rounds import toy_history

PNG = b"\x89PNG\r\n\x1a\n"


def judged(reports: list[RoundReport]) -> list[Round]:
    spec = ConvergenceSpec(max_rounds=9)
    tried = Adjustment(field="learning_rate", old=2.0, new=1.0, why="a test", move="settle")
    return [
        Round(report=report, verdict=judge(reports[: i + 1], spec), adjustments=[tried])
        for i, report in enumerate(reports)
    ]


def of_two_task_types(report: RoundReport) -> RoundReport:
    first, *rest = report.cells
    return report.model_copy(update={"cells": [first.model_copy(update={"task_type": "ner"}), *rest]})


def test_the_learning_curve_is_a_png_and_always_the_same_one():
    history = judged([of_two_task_types(r) for r in toy_history([0.6, 0.7, 0.69], noise=0.02)])
    png = learning_curve_png(history)
    assert png.startswith(PNG)
    assert learning_curve_png(history) == png


@pytest.mark.parametrize("accuracies", [[0.3], [0.6, 0.4, 0.7], [math.nan], [0.6, math.nan]])
def test_rounds_that_diverged_or_were_not_measured_can_be_drawn(accuracies):
    assert learning_curve_png(judged(toy_history(accuracies))).startswith(PNG)


def test_a_picture_of_no_rounds_is_refused():
    with pytest.raises(ValueError, match="no rounds to draw"):
        learning_curve_png([])


def test_matplotlib_is_not_imported_before_the_first_picture():
    code = "import sys, metamapping.runs.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
