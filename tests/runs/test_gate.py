"""The gate: a candidate is allowed only where it clearly gains and no source clearly falls."""

from __future__ import annotations

from typing import Any

import numpy as np

from metamapping.runs.folder import RunFolder
from metamapping.runs.gate import check_candidate
from tests.runs.test_comparison import make_run


def make_pair(tmp_path, *, gain=0.02, hotel: Any = 0.0, shop=0.0, **sections) -> tuple[RunFolder, RunFolder]:
    """A run in production and a candidate that gains on all sources, on hotel and shop by more or less."""
    production = make_run(tmp_path, "old", test=True)
    run = make_run(tmp_path, "new", gain=gain, test=True, **sections)
    for name, source, more in (("validation-1", "hotel", hotel), ("test-1", "shop", shop)):
        cells = run.read_result(name)["cells"]
        for cell in cells:
            if cell["source"] == source:
                cell["scores"] = list(np.array(cell["scores"]) + more)
        run.write_result(name, {"cells": cells})
    return production, run


def test_a_clear_gain_on_every_source_is_allowed(tmp_path):
    production, run = make_pair(tmp_path)
    decision = check_candidate(run, production)
    assert decision.is_allowed
    assert decision.sentence.startswith(
        "Better than production: the mean of 2 validation sources changes by +0.0"
    )
    assert "none of 3 held-out sources clearly falls" in decision.sentence
    assert [each.source for each in decision.changes if each.role == "test"] == ["shop"]
    assert "| test | shop |" in decision.markdown()


def test_one_source_that_clearly_falls_stops_a_mean_that_gains(tmp_path):
    production, run = make_pair(tmp_path, gain=0.1, hotel=-0.12)
    decision = check_candidate(run, production)
    assert not decision.is_allowed
    assert decision.sentence.startswith("Clearly worse than production: hotel (validation) -0.0")


def test_a_test_source_that_clearly_falls_stops_it_too(tmp_path):
    production, run = make_pair(tmp_path, gain=0.02, shop=-0.05)
    assert "shop (test) -0.03" in check_candidate(run, production).sentence


def test_a_fall_within_the_rules_is_allowed(tmp_path):
    rules = {"promotion": {"mode": "automatic", "max_source_fall": 0.04}}
    production, run = make_pair(tmp_path, gain=0.02, shop=-0.05, **rules)
    assert check_candidate(run, production).is_allowed


def test_a_gain_within_noise_or_below_the_rules_is_not_enough(tmp_path):
    production, run = make_pair(tmp_path, gain=0.0005, hotel=np.tile([-0.03, 0.03], 10))
    assert check_candidate(run, production).sentence.startswith("No clear gain over production")
    production, run = make_pair(tmp_path, promotion={"min_gain": 0.05})
    assert check_candidate(run, production).sentence.startswith("No clear gain of more than 0.05")


def test_a_run_is_not_better_than_itself(tmp_path):
    production, _ = make_pair(tmp_path)
    assert not check_candidate(production, production).is_allowed


def test_a_run_that_started_from_production_is_compared_with_its_own_start(tmp_path):
    production, run = make_pair(tmp_path, data={"hotel": "grown", "bank": "grown"}, start="old")
    for role in ("validation", "test"):
        cells = run.read_result(f"{role}-1")["cells"]
        for cell in cells:
            cell["scores"] = list(np.array(cell["scores"]) - 0.01)
        run.write_result(f"{role}-0", {"cells": cells})
    decision = check_candidate(run, production)
    assert decision.is_allowed
    assert [round(each.difference.mean, 6) for each in decision.changes] == [0.01] * 3


def test_the_first_run_must_have_beaten_its_start(tmp_path):
    decision = check_candidate(make_run(tmp_path, "first", gain=0.1), None)
    assert decision.is_allowed
    assert "No run is in production yet, and round 1" in decision.sentence


def test_runs_with_different_tokenizers_are_compared_as_independent_samples(tmp_path):
    production, run = make_pair(tmp_path, data={"coffee": "other words"}, gain=0.02)
    assert run.corpus.tokenizer.fingerprint != production.corpus.tokenizer.fingerprint
    assert not check_candidate(run, production).is_allowed  # the gain is within the noise of episodes
