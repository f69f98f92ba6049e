"""What is measured beside the scores, in tables."""

from metamapping.rounds.metrics import metric_of, score_name, score_names
from metamapping.rounds.records import Cell, CellScores, RoundReport
from metamapping.rounds.tables import measures_markdown, measures_table
from tests.toy_rounds import toy_report


def report_of(*cells) -> RoundReport:
    return toy_report(1, 0.5).model_copy(update={"cells": list(cells)})


def cell(source, score, *, metric="", **measures) -> Cell:
    after = CellScores(
        source=source,
        task_type="text-classification",
        shots=4,
        scores=[score] * 2,
        metric=metric,
        measures={name: [value, value] for name, value in measures.items()},
    )
    before = after.model_copy(
        update={"scores": [0.25, 0.25], "measures": {name: [0.5, 0.0] for name in measures}}
    )
    return Cell.of(after, before)


def test_a_source_has_its_score_first_and_then_what_was_measured_beside_it():
    report = report_of(cell("plain", 0.5), cell("mails", 0.75, metric="macro-F1", micro=0.5))
    assert measures_table(report) == [
        {"source": "mails", "measure": "macro-F1", "before": 0.25, "after": 0.75},
        {"source": "mails", "measure": "micro", "before": 0.25, "after": 0.5},
    ]
    assert "| mails | micro | 0.250 | 0.500 |" in measures_markdown(report)


def test_without_measures_there_is_no_table():
    assert measures_markdown(report_of(cell("plain", 0.5))) == ""


def test_the_untrained_round_has_its_own_measures():
    (untrained,) = report_of(cell("mails", 0.75, metric="macro-F1", micro=0.5)).untrained().cells
    assert (untrained.scores, untrained.measures) == ([0.25, 0.25], {"micro": [0.5, 0.0]})


def test_scores_are_named_by_the_task_type_unless_they_name_themselves():
    plain = cell("plain", 0.5)
    assert metric_of(plain) == "accuracy"
    assert metric_of(plain.model_copy(update={"task_type": "ner"})) == "entity F1"
    several = cell("mails", 0.5, metric="macro-F1")
    assert metric_of(several) == "macro-F1"
    assert (score_name(report_of(several)), score_names(report_of(several))) == ("macro-F1", "macro-F1")
    mixed = report_of(plain, several)
    assert (score_name(mixed), score_names(mixed)) == ("score", "score (accuracy, macro-F1)")


def test_cells_of_earlier_versions_have_no_measures():
    data = {"source": "a", "task_type": "ner", "shots": 1, "scores": [1.0]}
    assert CellScores.model_validate(data).measures == {}
    assert Cell.model_validate(data | {"baseline": [0.5]}).baseline_measures == {}
