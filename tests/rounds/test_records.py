from __future__ import annotations

import json
import math

import numpy as np
import pytest

from metamapping.config.rounds import ConvergenceSpec
from metamapping.rounds.records import AVERAGE, Adjustment, Round, RoundReport
from metamapping.rounds.statistics import paired_difference, round_accuracy
from metamapping.rounds.tables import (
    markdown_table,
    rounds_markdown,
    rounds_table,
    source_shots_markdown,
    source_shots_table,
)
from metamapping.rounds.verdict import judge
from tests.toy_rounds import toy_history, toy_report


def test_the_paired_difference_has_a_narrower_interval_than_the_scores():
    report = toy_report(1, 0.53, noise=0.01)
    accuracy, gain = round_accuracy(report), paired_difference(report, report.untrained())
    assert accuracy.low < 0.5 < accuracy.high
    assert gain.mean == pytest.approx(0.03)
    assert gain.is_gain


def test_the_paired_difference_changes_sign_when_its_arguments_are_swapped():
    first, second = toy_history([0.5, 0.6], noise=0.05)
    forward, backward = paired_difference(second, first), paired_difference(first, second)
    assert forward.mean == pytest.approx(-backward.mean)
    assert (forward.low, forward.high) == pytest.approx((-backward.high, -backward.low), abs=0.005)


def test_a_single_source_is_compared_on_its_own_episodes():
    report = toy_report(1, {"hotel": 0.7, "bank": 0.4})
    untrained = report.untrained()
    assert paired_difference(report, untrained, source="hotel").mean == pytest.approx(0.2)
    assert paired_difference(report, untrained, source="bank").is_loss
    assert not paired_difference(report, untrained).is_gain


def test_rounds_with_different_episodes_are_not_compared():
    with pytest.raises(ValueError, match=r"different episodes.*hotel at 4 shots.*against insurance"):
        paired_difference(toy_report(2, {"hotel": 0.5}), toy_report(1, {"insurance": 0.5}))
    with pytest.raises(ValueError, match=r"different episodes.*against nothing"):
        paired_difference(toy_report(2, 0.5), toy_report(1, {"hotel": 0.5}))


def test_a_baseline_from_other_episodes_is_rejected():
    report = toy_report(1, {"hotel": 0.5})
    cell = report.cells[0].model_copy(update={"baseline": [0.5]})
    report = report.model_copy(update={"cells": [cell]})
    with pytest.raises(ValueError, match="20 scores and 1 of the encoder before meta-training"):
        paired_difference(report, report.untrained())


def test_the_encoder_before_meta_training_is_round_0_and_its_own_baseline():
    untrained = toy_report(3, 0.8, untrained=0.4).untrained()
    assert untrained.round == 0
    assert round_accuracy(untrained).mean == pytest.approx(0.4)
    assert paired_difference(untrained, untrained.untrained()).mean == 0


def test_a_nan_loss_is_written_as_json_that_any_reader_accepts():
    report = toy_report(1, 0.5, loss=float("nan"))
    text = report.model_dump_json()
    assert json.loads(text, parse_constant=pytest.fail)["training"]["loss"] == "NaN"
    again = RoundReport.model_validate_json(text)
    assert math.isnan(again.training.loss)
    assert again.cells == report.cells


def test_the_table_of_sources_matches_a_hand_computation():
    table = source_shots_table(toy_report(1, {"hotel": 0.7, "bank": 0.4}))
    assert list(table["source"]) == ["hotel", "bank"]
    hotel = table.iloc[0]
    assert hotel["baseline"] == pytest.approx(0.5)
    assert hotel["score"] == pytest.approx(0.7)
    assert hotel["difference"] == pytest.approx(0.2)
    # The standard deviation is 0.1 with 1/n, and t(19, 0.975) = 2.093.
    half = 2.093 * 0.1 * math.sqrt(20 / 19) / math.sqrt(20)
    assert hotel["score_high"] == pytest.approx(0.7 + half, abs=1e-4)
    assert hotel["difference_high"] == pytest.approx(0.2)


def test_the_table_of_rounds_shows_gain_verdict_and_adjustment():
    table = rounds_table(_judged([0.6, 0.6]))
    assert list(table["round"]) == [1, 2]
    assert list(table["verdict"]) == ["IMPROVING", "PLATEAUED"]
    assert table["gain"][0] == pytest.approx(0.1)
    assert table["best_round"][1] == 1
    assert "0.001 → 0.0005 (smaller steps)" in table["adjusted"][1]


def test_markdown_has_one_line_per_row_and_escaped_cells():
    lines = rounds_markdown(_judged([0.6, float("nan")])).splitlines()
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "diverged" in lines[-1]
    assert "+0.100 [+0.100, +0.100]" in source_shots_markdown(toy_report(1, 0.6))
    assert markdown_table(["a"], [["x|y\nz"]]) == "| a |\n| --- |\n| x\\|y z |"


def _judged(accuracies: list[float]) -> list[Round]:
    reports = toy_history(accuracies)
    spec = ConvergenceSpec(max_rounds=9)
    rounds = [Round(report=report, verdict=judge(reports[: i + 1], spec)) for i, report in enumerate(reports)]
    change = Adjustment(field="learning_rate", old=1e-3, new=5e-4, why="smaller steps")
    return [*rounds[:-1], rounds[-1].model_copy(update={"adjustments": [change]})]


AVERAGE_AS_WRITTEN_BEFORE = (
    '{"field": "average_of_rounds", "old": null, "new": "%s", "why": "no clear gain", "move": "%s"}'
)


@pytest.mark.parametrize(
    ("text", "move", "shares"),
    [
        ("6, 7, 8", "average", {6: 1 / 3, 7: 1 / 3, 8: 1 / 3}),
        ("0 × -0.5, 8 × 1.5", "scale to 150%", {0: -0.5, 8: 1.5}),
    ],
)
def test_shares_that_were_written_only_as_text_are_still_read(text, move, shares):
    adjustment = Adjustment.model_validate_json(AVERAGE_AS_WRITTEN_BEFORE % (text, move))
    assert (adjustment.new, adjustment.shares) == (text, shares)
    assert Adjustment.model_validate_json(adjustment.model_dump_json()) == adjustment


def test_shares_have_a_field_of_their_own_in_json():
    written = Adjustment(
        field=AVERAGE, old=None, new="a text for people", why="a test", shares={0: 0.5, 3: 0.5}
    )
    assert json.loads(written.model_dump_json())["shares"] == {"0": 0.5, "3": 0.5}
    assert Adjustment.model_validate_json(written.model_dump_json()).shares == {0: 0.5, 3: 0.5}


def test_an_adjustment_of_a_setting_has_no_shares():
    line = '{"field": "learning_rate", "old": 0.1, "new": 0.05, "why": "smaller steps"}'
    assert Adjustment.model_validate_json(line).shares == {}


def test_scores_of_a_round_are_averaged_over_sources_not_cells():
    report = toy_report(1, {"hotel": 0.8, "bank": 0.4})
    report = report.model_copy(update={"cells": [*report.cells, report.cells[0]]})
    assert round_accuracy(report).mean == pytest.approx(0.6)
    assert np.mean([np.mean(cell.scores) for cell in report.cells]) > 0.65
