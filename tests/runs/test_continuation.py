"""Continuing from production: pinned by rows and settings, with the same vocabulary and the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from metamapping.config.loading import parse_config
from metamapping.config.schema import RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.errors import ConfigError
from metamapping.runs.continuation import pin_start
from metamapping.runs.folder import RunFolder, deciding_settings, run_id
from metamapping.runs.gate import check_candidate
from metamapping.runs.pipeline import run_pipeline
from metamapping.runs.registry import Registry
from metamapping.runs.stages import open_run
from metamapping.storage.artifacts import Reference
from tests.corpus.toys import labelled, write_jsonl
from tests.runs.test_registry import make_published

WORDS = {"red": "apple cherry rose brick", "blue": "sea sky ink jeans", "green": "leaf grass frog pea"}
ROLES = {"fruit": "train", "sea": "train", "garden": "validation", "shop": "test"}


def write_source(folder: Path, name: str, *, num_rows: int = 8) -> str:
    rng = np.random.default_rng(len(name))
    rows = [
        (f"{name} {' '.join(rng.choice(words.split(), 3))} {i}", label)
        for i in range(num_rows)
        for label, words in WORDS.items()
    ]
    return str(write_jsonl(folder / f"{name}.jsonl", labelled(*rows)))


def make_config(folder: Path, **sections) -> RunConfig:
    scratch = {
        "vocabulary_size": 200,
        "num_layers": 1,
        "num_heads": 2,
        "hidden_dim": 16,
        "intermediate_dim": 16,
    }
    files = {name: str(folder / f"{name}.jsonl") for name in ROLES}
    for name, file in files.items():
        if not Path(file).exists():
            write_source(folder, name)
    return parse_config(
        {
            "name": "toy",
            "home": str(folder / "home"),
            "start": "production",
            "sources": [
                {"name": name, "task_type": "text-classification", "role": role, "files": [files[name]]}
                for name, role in ROLES.items()
            ],
            "encoder": {"scratch": scratch, "max_length_tokens": 16},
            "episodes": {"num_texts": 12, "num_splits": 2, "max_shots": 2, "max_ways": 3},
            "training": {"meta_steps": 2, "warmup_steps": 1, "learning_rate": 1e-3},
            "evaluation": {"ways": 3, "shots": [2], "num_queries": 3, "num_episodes": 3},
            "convergence": {"max_rounds": 1},
            **sections,
        }
    )


def open_published(home: Path, name: str, config: RunConfig) -> None:
    tokenizer = Reference(stage="tokenizer", name="toy", fingerprint="0", path="x", counts={})
    RunFolder(home, name).open(config, Corpus(tokens=[], tokenizer=tokenizer))
    make_published(home, name).promote(name, why="a test", by="ann")


def test_before_the_first_promotion_a_run_starts_as_described(tmp_path):
    assert pin_start(make_config(tmp_path)).start == "pretrained"


def test_the_start_stays_for_the_same_rows_and_changes_with_new_ones(tmp_path):
    config = make_config(tmp_path)
    home = tmp_path / "home"
    open_published(home, "toy-1", config)
    assert pin_start(config).start == "toy-1"
    open_published(home, "toy-2", config)
    assert pin_start(config).start == "toy-1"  # a run that was interrupted resumes
    write_source(tmp_path, "fruit", num_rows=9)
    assert pin_start(config).start == "toy-2"
    assert pin_start(make_config(tmp_path, seed=7)).start == "toy-2"


def test_looking_at_the_start_does_not_keep_it(tmp_path):
    config = make_config(tmp_path)
    assert pin_start(config, keep=False).start == "pretrained"
    open_published(tmp_path / "home", "toy-1", config)
    assert pin_start(config).start == "toy-1"


def test_a_start_that_does_not_fit_is_refused_at_once(tmp_path):
    config = make_config(tmp_path)
    with pytest.raises(ConfigError, match="start: there is no published run 'toy-9'"):
        pin_start(make_config(tmp_path, start="toy-9"))
    open_published(tmp_path / "home", "toy-1", config)
    longer = config.encoder.model_copy(update={"max_length_tokens": 32})
    with pytest.raises(ConfigError, match=r"start: `encoder` is not that of toy-1.*`max_length_tokens: 16`"):
        pin_start(config.model_copy(update={"start": "toy-1", "encoder": longer}))


def test_promotion_and_the_usual_start_leave_the_id_of_a_run_as_it_was(tmp_path):
    config = make_config(tmp_path, start="pretrained")
    assert "start" not in deciding_settings(config)
    other = make_config(tmp_path, start="pretrained", promotion={"mode": "automatic"})
    assert run_id(other, []) == run_id(config, [])
    assert run_id(config.model_copy(update={"start": "toy-1"}), []) != run_id(config, [])


def test_a_run_follows_new_rules_of_promotion(tmp_path):
    config = make_config(tmp_path, start="pretrained")
    tokenizer = Reference(stage="tokenizer", name="toy", fingerprint="0", path="x", counts={})
    corpus = Corpus(tokens=[], tokenizer=tokenizer)
    run = RunFolder(config.home, run_id(config, corpus.fingerprints))
    run.open(config, corpus)
    rules = config.promotion.model_copy(update={"mode": "automatic"})
    opened = open_run(config.model_copy(update={"promotion": rules}), corpus)
    assert opened.run_id == run.run_id
    assert opened.config.promotion.mode == "automatic"


@pytest.mark.slow
def test_three_nights(tmp_path):
    """The first night, one without news, and one with new rows, of which some have words nobody has seen."""
    config = make_config(tmp_path)
    first = run_pipeline(config)
    assert first.config.start == "pretrained"
    Registry(config.home).promote(first.run_id, why="the first", by="ann")

    changed = {path: path.stat().st_mtime for path in first.path.rglob("*") if path.is_file()}
    assert run_pipeline(config).run_id == first.run_id
    assert {path: path.stat().st_mtime for path in changed} == changed

    write_source(tmp_path, "fruit", num_rows=12)
    grown = run_pipeline(config)
    assert grown.config.start == first.run_id
    assert grown.corpus.tokenizer == first.corpus.tokenizer  # its vocabulary fits the weights
    tokens = {each.name: each for each in first.corpus.tokens}
    changed_sources = [each.name for each in grown.corpus.tokens if each != tokens[each.name]]
    assert changed_sources == ["fruit"]
    best = first.read_history()[-1].verdict.best_round
    before, after = (
        load_file(run.checkpoint(number) / "weights.safetensors")
        for run, number in ((first, best), (grown, 0))
    )
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    decision = check_candidate(grown, first)
    assert decision.production == first.run_id
    # The same run, resumed after another one was promoted.
    Registry(config.home).promote(grown.run_id, why="another", by="ann")
    assert run_pipeline(config).run_id == grown.run_id
