"""What has changed since the last run is told: labels, their shares, and the lengths of the texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from metamapping.runs.corpus_changes import compare_reports
from metamapping.storage.artifacts import Reference, Stage, Store

USUAL = {"refund": 50, "delivery": 50}


def report(home: Path, labels: dict[str, int], *, words: int = 10, source: str = "shop") -> Reference:
    """The report of a corpus of one source."""

    def write(folder: Path) -> dict[str, int]:
        lines = [f"{source},{label},{rows}" for label, rows in labels.items()]
        (folder / "labels.csv").write_text("\n".join(["source,label,rows", *lines]) + "\n")
        (folder / "sources.csv").write_text(f"source,words 50%\n{source},{words}\n")
        return {}

    settings = [labels, words, source]
    return Store(home).get_or_write(Stage("report", "corpus", 1, settings), write)


@pytest.mark.parametrize(
    ("labels", "words", "expected"),
    [
        (USUAL, 10, []),
        ({"refund": 55, "delivery": 60}, 11, []),  # growth alone is no shift
        ({**USUAL, "fraud": 3}, 10, ["source 'shop': new since the last run: fraud (3 rows)"]),
        (
            {"refund": 50},
            10,
            ["source 'shop': vanished since the last run: delivery (it had 50 rows)"],
        ),
        (
            {"refund": 150, "delivery": 50},
            10,
            [
                "source 'shop': 'refund' has 75% of the rows, in the last run 50%",
                "source 'shop': 'delivery' has 25% of the rows, in the last run 50%",
            ],
        ),
        (USUAL, 14, ["source 'shop': the texts have 14 words in the median, in the last run 10"]),
    ],
)
def test_changes_beyond_chance_are_told(tmp_path, labels, words, expected):
    found = compare_reports(report(tmp_path, USUAL), report(tmp_path, labels, words=words))
    if "delivery" in labels:
        assert found == expected
    else:  # the share of the other label has shifted, too
        assert found[:1] == expected


def test_a_few_rows_more_of_a_small_source_are_chance(tmp_path):
    assert compare_reports(report(tmp_path, {"a": 3, "b": 3}), report(tmp_path, {"a": 6, "b": 3})) == []


def test_new_sources_and_lost_reports_are_no_change(tmp_path):
    old = report(tmp_path, USUAL)
    assert compare_reports(old, report(tmp_path, {"a": 1, "b": 1}, source="bank")) == []
    gone = old.model_copy(update={"path": str(tmp_path / "gone")})
    assert compare_reports(gone, old) == []
