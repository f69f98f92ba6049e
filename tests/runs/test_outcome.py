"""What people read about a finished run: improvement or not, scores and places."""

from __future__ import annotations

from pathlib import Path

import pytest

from metamapping.config.rounds import ConvergenceSpec
from metamapping.config.schema import RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.errors import StoreError
from metamapping.rounds.records import Round
from metamapping.rounds.verdict import judge
from metamapping.runs.folder import RunFolder
from metamapping.runs.gate import Decision
from metamapping.runs.outcome import outcome_of, summary_markdown
from metamapping.runs.registry import Registry
from metamapping.storage.artifacts import Reference
from metamapping.storage.manifest import write_manifest
from tests.toy_rounds import toy_report


def finished_run(home: Path, accuracy: float, *, max_rounds: int = 1) -> RunFolder:
    """A run that has published after one round, measured on test sources as well."""
    files = {role: home / f"{role}.csv" for role in ("train", "validation", "test")}
    config = RunConfig.model_validate(
        {
            "name": "toy",
            "home": str(home),
            "encoder": {"scratch": {}},
            "sources": [
                {"name": role, "role": role, "task_type": "text-classification", "files": [str(path)]}
                for role, path in files.items()
            ],
        }
    )
    tokens = [
        Reference(stage="tokens", name=role, fingerprint=role, path="x", counts={"rows_out": 10})
        for role in files
    ]
    run = RunFolder(home, "toy-1")
    run.open(config, Corpus(tokens=tokens, tokenizer=tokens[0]))
    report = toy_report(1, accuracy, noise=0.01)
    verdict = judge([report], ConvergenceSpec(max_rounds=max_rounds))
    run.append_round(Round(report=report, verdict=verdict))
    for round_number in {0, verdict.best_round}:
        scores = toy_report(1, accuracy if round_number else 0.5)
        cells = [cell.model_dump(exclude={"baseline"}) for cell in scores.cells]
        run.write_result(f"test-{round_number}", {"cells": cells})
    run.published.mkdir(parents=True)
    write_manifest(run.published, {})
    return run


def test_a_run_that_has_improved_says_by_how_much_and_where_it_is(tmp_path: Path) -> None:
    outcome = outcome_of(finished_run(tmp_path, 0.8))
    assert outcome.has_improved
    assert "Test sources: 0.800" in outcome.sentence
    assert "+0.300" in outcome.sentence
    assert outcome.sentence.endswith(f"Published, round 1: {tmp_path / 'runs/toy-1/published'}")
    assert "\n" not in outcome.sentence


def test_a_run_that_publishes_the_untrained_encoder_has_not_improved(tmp_path: Path) -> None:
    outcome = outcome_of(finished_run(tmp_path, 0.5))
    assert not outcome.has_improved
    assert "no clear gain" in outcome.sentence
    assert "Published, the encoder before meta-training: " in outcome.sentence


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.8, "**Published.**"), (0.5, "**No improvement.**")])
def test_the_summary_has_verdict_rounds_test_sources_and_places(
    tmp_path: Path, accuracy: float, verdict: str
) -> None:
    shown = summary_markdown(finished_run(tmp_path, accuracy))
    assert shown.startswith(f"# toy-1\n\n{verdict} ")
    assert shown.index("## Rounds") < shown.index("## Test sources") < shown.index("## Where")
    assert f"- model card: `{tmp_path / 'runs/toy-1/published/README.md'}`" in shown


def test_the_summary_of_a_running_run_says_how_much_is_left(tmp_path: Path) -> None:
    run = finished_run(tmp_path, 0.8, max_rounds=3)
    shown = summary_markdown(run)
    # Toy rounds take 60 seconds; the configuration allows five.
    assert "At most 4 more rounds, whose meta-steps take about " in shown
    opened = RunFolder(tmp_path, "toy-2")
    opened.open(run.config, run.corpus)
    assert "At most 5 rounds of 100 meta-steps." in summary_markdown(opened)
    assert "At most" not in summary_markdown(finished_run(tmp_path / "ended", 0.8))


def test_the_summary_has_the_comparison_the_decision_and_links(tmp_path: Path) -> None:
    run = finished_run(tmp_path, 0.8)
    decision = Decision(candidate="toy-1", production="toy-0", is_allowed=True, sentence="Better.")
    Registry(tmp_path).promote("toy-1", why="Better.", by="ann")
    shown = summary_markdown(run, decision, links=["[model card](/card)"])
    assert "**Promoted** by ann, " in shown
    assert "## Against production\n\nBetter." in shown
    assert "## Where\n\n- [model card](/card)\n- " in shown


def test_a_damaged_file_of_scores_is_named(tmp_path: Path) -> None:
    run = finished_run(tmp_path, 0.8)
    run.write_result("test-1", {"cells": [{"source": "hotel"}] * 2})
    with pytest.raises(StoreError, match=r"test-1.json does not hold scores: remove it"):
        outcome_of(run)
