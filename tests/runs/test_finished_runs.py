"""A run has one end: it is not trained beyond it, and not published before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from metamapping.errors import ConfigError
from metamapping.runs.publish_best import publish_stage
from metamapping.runs.round_training import train_stage
from tests.runs.test_outcome import finished_run


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    run = finished_run(tmp_path, 0.8)
    with pytest.raises(ConfigError, match=r"toy-1 is finished \(EXHAUSTED after round 1\).*higher conv"):
        train_stage(run, 2)
    assert not run.checkpoint(2).exists()


@pytest.mark.parametrize("num_judged", [0, 1])
def test_a_run_that_is_not_finished_is_not_published(tmp_path: Path, num_judged: int) -> None:
    run = finished_run(tmp_path, 0.8, max_rounds=3)
    (run.published / "manifest.json").unlink()
    if not num_judged:
        (run.path / "rounds.jsonl").unlink()
    with pytest.raises(ConfigError, match=rf"not finished: {num_judged} of its rounds are judged"):
        publish_stage(run)
    assert not run.has_published
