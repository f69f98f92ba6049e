from __future__ import annotations

import numpy as np
import pytest

from metamapping.cli import main
from metamapping.config.loading import parse_config
from metamapping.config.rounds import ConvergenceSpec
from metamapping.corpus.prepared import Corpus
from metamapping.errors import ConfigError
from metamapping.rounds.records import Cell, Round
from metamapping.rounds.verdict import judge
from metamapping.runs.comparison import compare_runs
from metamapping.runs.folder import RunFolder
from metamapping.runs.plots import comparison_png
from metamapping.storage.artifacts import Reference
from tests.toy_rounds import toy_report

SOURCES = {"coffee": "train", "hotel": "validation", "bank": "validation", "shop": "test"}


def make_run(
    tmp_path, name, *, home=None, gain=0.0, data=None, sources=SOURCES, test=False, **sections
) -> RunFolder:
    """A run with one judged round, whose scores are higher by ``gain`` than without it."""
    for source in sources:
        (tmp_path / f"{source}.csv").write_text("text,label\n")
    config = parse_config(
        {
            "name": name,
            "home": str(home or tmp_path),
            "encoder": {"scratch": {}},
            "sources": [
                {"name": s, "task_type": "text-classification", "role": role, "files": [f"{s}.csv"]}
                for s, role in sources.items()
            ],
            **sections,
        },
        folder=tmp_path,
    )
    tokens = [
        Reference(stage="tokens", name=s, fingerprint=(data or {}).get(s, "same"), path="x", counts={})
        for s in sources
    ]
    run = RunFolder(home or tmp_path, name)
    run.open(config, Corpus(tokens=tokens, tokenizer=tokens[0]))
    held_out = [s for s, role in sources.items() if role == "validation"]
    report = toy_report(1, dict.fromkeys(held_out, 0.6 + gain), noise=0.01)
    verdict = judge([report], ConvergenceSpec(max_rounds=1))
    run.append_round(Round(report=report, verdict=verdict))
    run.write_result("validation-1", {"cells": [cell.model_dump() for cell in report.cells]})
    if test:
        scores = list(np.linspace(0.4, 0.6, 20) + gain)
        cell = Cell(source="shop", task_type="text-classification", shots=4, scores=scores, baseline=scores)
        run.write_result("test-1", {"cells": [cell.model_dump()]})
    return run


def overall(comparison):
    return next(each for each in comparison.measured if each.what == "all sources")


def test_a_run_is_not_better_than_itself(tmp_path):
    run = make_run(tmp_path, "plain")
    comparison = compare_runs(run, run)
    assert comparison.differences == []
    assert overall(comparison).difference.mean == 0
    assert "neither run is clearly better" in comparison.sentence
    assert "Nothing in configuration or data differed." in comparison.markdown()


def test_equal_episodes_are_compared_in_pairs(tmp_path):
    comparison = compare_runs(make_run(tmp_path, "plain"), make_run(tmp_path, "better", gain=0.02))
    found = overall(comparison)
    assert found.is_paired
    # Episodes differ by 0.1 in difficulty, and that cancels out.
    assert found.difference.low > 0.019
    assert "better is clearly better" in comparison.sentence


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"evaluation": {"num_queries": 7}}, {"data": {"hotel": "new", "bank": "new"}}]
)
def test_different_episodes_are_compared_as_independent_samples(tmp_path, changes):
    comparison = compare_runs(make_run(tmp_path, "plain"), make_run(tmp_path, "other", gain=0.02, **changes))
    hotel = next(each for each in comparison.measured if each.what == "hotel")
    assert not overall(comparison).is_paired
    assert not hotel.is_paired
    assert hotel.difference.low < 0 < hotel.difference.high
    assert "on different episodes" in comparison.sentence


def test_differences_in_configuration_and_data_are_listed(tmp_path):
    first = make_run(tmp_path, "plain", training={"learning_rate": 1e-3})
    more = {**SOURCES, "gym": "train"}
    second = make_run(tmp_path, "other", sources=more, data={"hotel": "new"}, seed=3)
    found = {each.what: (each.first, each.second) for each in compare_runs(first, second).differences}
    assert found == {
        "name": ("plain", "other"),
        "seed": ("0", "3"),
        "training.learning_rate": ("0.001", "3e-05"),
        "source hotel": ("validation, data same", "validation, data new"),
        "source gym": ("absent", "train, data same"),
    }


def test_test_sources_decide_if_both_runs_were_measured_on_them(tmp_path):
    first, second = (make_run(tmp_path, n, gain=g, test=True) for n, g in (("plain", 0.0), ("worse", -0.05)))
    comparison = compare_runs(first, second)
    assert comparison.sentence.startswith("On the 1 test source of both runs, plain is clearly better")
    assert comparison_png(comparison).startswith(b"\x89PNG")


def test_runs_without_a_common_source_are_rejected(tmp_path):
    other = {"coffee": "train", "gym": "validation", "shop": "test"}
    with pytest.raises(ValueError, match="share no held-out source"):
        compare_runs(make_run(tmp_path, "plain"), make_run(tmp_path, "other", sources=other))


def test_a_run_that_is_missing_or_not_judged_is_rejected(tmp_path):
    run = make_run(tmp_path, "plain")
    with pytest.raises(ConfigError, match="there is no run 'nothing'"):
        compare_runs(run, RunFolder(tmp_path, "nothing"))
    begun = RunFolder(tmp_path, "begun")
    begun.open(run.config, run.corpus)
    with pytest.raises(ValueError, match="no judged round yet"):
        compare_runs(run, begun)


def test_the_command_compares_runs_by_the_beginning_of_an_id_and_by_folder(tmp_path, capsys):
    make_run(tmp_path, "plain")
    folder = make_run(tmp_path, "better", gain=0.02).path
    picture = tmp_path / "picture.png"
    with pytest.raises(SystemExit) as ended:
        main(["compare", "pla", str(folder), "--home", str(tmp_path), "--picture", str(picture)])
    assert ended.value.code == 0
    assert "better is clearly better" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
