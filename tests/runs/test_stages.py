"""Stages of a run on toy sources: the effect of moves and selection on checkpoints, curves and reports."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from safetensors.numpy import load_file

from metamapping.config.loading import parse_config
from metamapping.corpus.prepared import Corpus
from metamapping.corpus.tokenization import load_tokenizer
from metamapping.corpus.tokenizer import write_tokenizer
from metamapping.corpus.tokens import write_tokens
from metamapping.errors import ConfigError, StoreError
from metamapping.rounds.next_round import needed_rounds
from metamapping.rounds.records import AVERAGE, START, Adjustment, Round, TrainingReport
from metamapping.rounds.settings import TRAINABLE_LAYERS, AdjustableSettings
from metamapping.rounds.verdict import judge
from metamapping.runs import label_spaces
from metamapping.runs.folder import RunFolder
from metamapping.runs.lock import locked
from metamapping.runs.round_training import train_stage
from metamapping.runs.select_sources import select_stage
from metamapping.runs.session import session_of
from metamapping.runs.stages import adjust_stage, evaluate_stage, initialise_stage, open_run
from metamapping.storage.artifacts import Reference
from metamapping.storage.manifest import write_manifest
from metamapping.storage.remote import remove_folder
from tests.corpus.toys import labelled, prepare, toy_source, write_jsonl
from tests.runs.test_tensorboard import points

WORDS = {"red": "apple cherry rose brick", "blue": "sea sky ink jeans", "green": "leaf grass frog pea"}
ROLES = {"fruit": "train", "sea": "train", "colours": "train", "garden": "validation", "shop": "test"}
WAITS = "another process works on run"  # logged by a stage that has to wait for the run's lock


def make_run(folder, *, roles=ROLES, **sections) -> RunFolder:
    """An open run of five small sources, with a BERT of two layers of which one is trained."""
    sources, examples = [], []
    for number, (name, role) in enumerate(roles.items()):
        rng = np.random.default_rng(number)
        rows = [
            (f"{name} {' '.join(rng.choice(words.split(), 3))} {i}", label)
            for label, words in WORDS.items()
            for i in range(8)
        ]
        path = write_jsonl(folder / f"{name}.jsonl", labelled(*rows))
        source = toy_source(path, name=name, role=role)
        prepare(source, folder / name)
        sources.append(source)
        examples.append(folder / name / "examples")
    config = parse_config(
        {
            "name": "toy",
            "home": str(folder / "home"),
            "sources": [source.model_dump(exclude_none=True) for source in sources],
            "encoder": {
                "scratch": {
                    "vocabulary_size": 200,
                    "num_layers": 2,
                    "num_heads": 2,
                    "hidden_dim": 16,
                    "intermediate_dim": 16,
                },
                "max_length_tokens": 16,
                "trainable_layers": 1,
            },
            "episodes": {"num_texts": 12, "num_splits": 2, "max_shots": 2, "max_ways": 3},
            "training": {"meta_steps": 4, "warmup_steps": 1, "learning_rate": 1e-3},
            "evaluation": {"ways": 3, "shots": [0, 2], "num_queries": 3, "num_episodes": 3},
            **sections,
        }
    )
    texts = [row["text"] for path in folder.glob("*.jsonl") for row in map(json.loads, path.open())]
    counts = write_tokenizer(config.encoder, texts, folder / "tokenizer")
    write_manifest(folder / "tokenizer", {})
    tokenizer = load_tokenizer(folder / "tokenizer", max_length_tokens=16)
    tokens = []
    for source, shards in zip(sources, examples, strict=True):
        out = folder / source.name / "tokens"
        out.mkdir()
        write_tokens(shards, tokenizer, out)
        write_manifest(out, {})
        tokens.append(reference(source.name, out, {}))
    return open_run(
        config, Corpus(tokens=tokens, tokenizer=reference("encoder", folder / "tokenizer", counts))
    )


def reference(name, path, counts) -> Reference:
    return Reference(stage="toy", name=name, fingerprint=name, path=str(path), counts=counts)


def after_round(run: RunFolder, round: int, *changes: tuple[str, object, object]) -> None:
    """Judge a round, and append it to the history with these adjustments for the next one."""
    report = evaluate_stage(run, round)
    verdict = judge([*(r.report for r in run.read_history()), report], run.config.convergence)
    adjustments = [Adjustment(field=f, old=o, new=n, why="a test", move="toy") for f, o, n in changes]
    run.append_round(Round(report=report, verdict=verdict, adjustments=adjustments))


def weights(run: RunFolder, round: int) -> dict[str, np.ndarray]:
    return load_file(run.checkpoint(round) / "weights.safetensors")


@pytest.fixture
def run(tmp_path) -> RunFolder:
    run = make_run(tmp_path)
    initialise_stage(run)
    return run


def moved_layers(run: RunFolder, before: int, after: int) -> set[str]:
    old = weights(run, before)
    return {name.split("/")[1] for name, v in weights(run, after).items() if not np.array_equal(v, old[name])}


@pytest.mark.slow
def test_an_averaged_round_is_the_mean_of_the_checkpoints_and_trains_nothing(run):
    for round in (1, 2):
        report = train_stage(run, round)
        after_round(run, round, *([(AVERAGE, None, "1, 2")] if round == 2 else []))
    report = train_stage(run, 3)
    assert (report.averaged, report.meta_steps) == ([1, 2], 0)
    one, two, mean = (weights(run, round) for round in (1, 2, 3))
    for name, value in mean.items():
        np.testing.assert_allclose(value, (one[name] + two[name]) / 2, atol=1e-6)
    after_round(run, 3)
    assert train_stage(run, 4).meta_steps == 4


class KilledError(Exception):
    """Ends a round in the middle."""


@pytest.mark.slow
def test_a_round_that_began_in_memory_ends_with_the_same_bits_from_mapped_files(tmp_path, monkeypatch):
    every_step = {"training": {"meta_steps": 4, "warmup_steps": 1, "checkpoint_every_steps": 1}}
    runs = []
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        runs.append(make_run(tmp_path / name, **every_step))
        initialise_stage(runs[-1])
    whole, killed = runs
    train_stage(whole, 1)

    def kill(step, loss):
        if step == 2:
            raise KilledError

    with pytest.raises(KilledError):
        train_stage(killed, 1, on_step=kill)
    assert not list(killed.path.parents[1].glob("data/label-space-*"))
    monkeypatch.setattr(label_spaces, "MAX_ROWS_IN_MEMORY", -1)
    assert train_stage(killed, 1).meta_steps == 4
    assert len(list(killed.path.parents[1].glob("data/label-space-*"))) == 3  # of the train sources
    expected = weights(whole, 1)
    for name, value in weights(killed, 1).items():
        assert value.tobytes() == expected[name].tobytes(), name
    assert evaluate_stage(killed, 1).cells == evaluate_stage(whole, 1).cells


@pytest.mark.slow
def test_a_scaled_round_has_the_scaled_distance_from_the_untrained_weights(run):
    train_stage(run, 1)
    after_round(run, 1, (AVERAGE, None, "0 × -0.5, 1 × 1.5"))
    report = train_stage(run, 2)
    assert (report.averaged, report.shares, report.meta_steps) == ([0, 1], [-0.5, 1.5], 0)
    untrained, one, scaled = (weights(run, round) for round in (0, 1, 2))
    for name, value in scaled.items():
        np.testing.assert_allclose(value, untrained[name] + 1.5 * (one[name] - untrained[name]), atol=1e-6)


@pytest.mark.slow
def test_more_weight_decay_takes_effect_in_the_next_round(tmp_path):
    decayed = []
    for decay in (0.0, 100.0):
        (tmp_path / str(decay)).mkdir()
        run = make_run(tmp_path / str(decay))
        initialise_stage(run)
        train_stage(run, 1)
        after_round(run, 1, ("weight_decay", 0.01, decay))
        train_stage(run, 2)
        kernels = [v for n, v in weights(run, 2).items() if "transformer_layer_1" in n and "kernel" in n]
        decayed.append(sum(float(np.square(v).sum()) for v in kernels))
    assert decayed[1] < 0.8 * decayed[0]


@pytest.mark.slow
def test_one_more_layer_is_trained_and_can_be_frozen_again(run):
    assert train_stage(run, 1).frozen_layers == 1
    after_round(run, 1, (TRAINABLE_LAYERS, 1, 2))
    assert train_stage(run, 2).frozen_layers == 0
    assert "transformer_layer_0" not in moved_layers(run, 0, 1)
    assert "transformer_layer_0" in moved_layers(run, 1, 2)
    after_round(run, 2, (TRAINABLE_LAYERS, 2, 1), (START, 2, 2))
    train_stage(run, 3)
    assert "transformer_layer_0" not in moved_layers(run, 2, 3)
    assert "transformer_layer_1" in moved_layers(run, 2, 3)


@pytest.mark.slow
def test_every_train_source_has_an_agreement_that_a_repeated_run_reproduces(tmp_path_factory):
    reports = []
    for name in ("first", "again"):
        run = make_run(tmp_path_factory.mktemp(name), training={"meta_steps": 32})
        initialise_stage(run)
        reports.append(train_stage(run, 1))
    first, again = (report.agreements for report in reports)
    assert set(first) == {"fruit", "sea", "colours"}
    assert all(-1 <= value <= 1 for value in first.values())
    assert again == pytest.approx(first, abs=1e-4)


def test_the_last_round_measures_no_agreement(tmp_path):
    run = make_run(tmp_path, convergence={"max_rounds": 1})
    initialise_stage(run)
    assert train_stage(run, 1).agreements == {}


def test_only_listed_sources_are_trained_on(tmp_path):
    run = make_run(tmp_path, selection={"mode": "list", "sources": ["sea"]}, training={"meta_steps": 8})
    initialise_stage(run)
    assert set(train_stage(run, 1).source_losses) == {"sea"}


def test_related_sources_are_selected_once_and_reported(tmp_path):
    selection = {"mode": "related", "targets": ["garden"], "num_sources": 2}
    run, seen = make_run(tmp_path, selection=selection, training={"meta_steps": 12}), []
    chosen = select_stage(run, on_source=lambda done, source: seen.append(source))
    assert seen == ["fruit", "sea", "colours", "garden"]
    assert len(chosen.chosen) == 2
    assert (run.path / "selection.png").read_bytes().startswith(b"\x89PNG")
    assert "trained on" in (run.path / "selection.md").read_text()
    assert select_stage(run, on_source=lambda *_: pytest.fail("measured twice")) == chosen
    assert set(train_stage(run, 1).source_losses) <= set(chosen.chosen)


def test_stages_write_tensorboard_curves(run):
    train_stage(run, 1)
    evaluate_stage(run, 1)
    adjust_stage(run, 1)
    adjust_stage(run, 1)
    names = {path.parent.name for path in run.tensorboard.rglob("events.out.tfevents.000001")}
    assert names == {"training", "mean", "low", "high", "untrained"}


@pytest.mark.slow
def test_the_training_curve_continues_after_a_round_that_starts_from_an_earlier_one(run):
    train_stage(run, 1)
    after_round(run, 1, (START, 1, 0))
    train_stage(run, 2)
    losses = [step for step, tag, _ in points(run.tensorboard / "training") if tag == "training/loss"]
    assert losses == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_damaged_history_is_rejected_and_once_removed_written_again_identically(run):
    for round in (1, 2):
        train_stage(run, round)
        adjust_stage(run, round)
    file = run.path / "rounds.jsonl"
    written = file.read_bytes()
    file.write_bytes(written.replace(b'"PLATEAUED"', b'"IMPROVING"'))
    with pytest.raises(StoreError, match=r"rounds\.jsonl is damaged"):
        adjust_stage(run, 2)
    file.unlink()
    adjust_stage(run, 2)
    assert file.read_bytes() == written


@pytest.mark.slow
def test_a_removed_checkpoint_is_trained_again_to_the_same_weights(run):
    for round in (1, 2):
        train_stage(run, round)
        adjust_stage(run, round)
    before = weights(run, 1)
    remove_folder(run.checkpoint(1))
    train_stage(run, 1)
    for name, value in weights(run, 1).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.slow
def test_checkpoints_that_are_not_needed_lose_their_weights_and_keep_their_reports(tmp_path):
    spec = {"min_rounds": 7, "max_rounds": 7}
    still = {"meta_steps": 1, "learning_rate": 1e-9}  # small enough that no round diverges, on any processor
    run = make_run(tmp_path, convergence=spec, adjustment={"moves": []}, training=still)
    initialise_stage(run)
    reports = []
    for round in range(1, 8):
        reports.append(train_stage(run, round))
        adjust_stage(run, round)
    kept = {int(path.parent.name[6:]) for path in run.checkpoints.glob("round-*/weights.safetensors")}
    assert kept == needed_rounds(run.read_history()) >= {0, 5, 6, 7}
    assert len(kept) <= 6
    assert [train_stage(run, round) for round in range(1, 8)] == reports
    assert run.read_history()[-1].verdict.best_round in kept


def test_a_stage_waits_while_another_process_works_on_the_run(run, tmp_path, caplog):
    events = []

    def train():
        train_stage(run, 1, on_step=lambda *_: events.append("a meta-step"))
        events.append("done")

    stage = threading.Thread(target=train)
    with another_process_with_the_lock(run, tmp_path / "home") as other:
        stage.start()
        # Until the stage logs that it waits; if it did not wait, it would train, which also ends this loop.
        while stage.is_alive() and not events and WAITS not in caplog.text:
            time.sleep(0.01)
        assert not run.checkpoint(1).exists()
        events.append("the other process ends")
        other.kill()  # this releases its lock
        stage.join(300)
    assert events == ["the other process ends", *["a meta-step"] * 4, "done"]


def test_a_lock_cannot_be_acquired_while_another_process_holds_it(run, tmp_path):
    entered = threading.Event()

    def enter():
        with locked(run):
            entered.set()

    with another_process_with_the_lock(run, tmp_path / "home") as other:
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.5)  # without a lock it would enter immediately
        other.kill()
        assert entered.wait(60)
        thread.join()


@contextmanager
def another_process_with_the_lock(run, home):
    """A process that holds the run's lock until it is killed."""
    code = "import sys\nfrom metamapping.runs.folder import RunFolder\n"
    code += "from metamapping.runs.lock import locked\n"
    code += "run = RunFolder(sys.argv[1], sys.argv[2])\n"
    code += "with locked(run): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(home), run.run_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"held\n"
            yield other
        finally:
            other.kill()


def test_a_finished_round_is_not_trained_again(run):
    first = train_stage(run, 1)
    again = train_stage(run, 1, on_step=lambda *_: pytest.fail("trained again"))
    assert isinstance(first, TrainingReport)
    assert again == first


def test_a_round_that_is_not_trained_is_neither_evaluated_nor_judged(run):
    for stage in (evaluate_stage, adjust_stage):
        with pytest.raises(ConfigError, match=r"round 1 of run toy-\w+ is not trained yet: train it first"):
            stage(run, 1)
    assert not run.checkpoint(1).exists()


def test_a_file_of_scores_holds_one_checkpoint_and_is_joined_with_round_0_when_it_is_read(run):
    train_stage(run, 1)
    cells = evaluate_stage(run, 1).cells
    stored = {number: run.read_result(f"validation-{number}")["cells"] for number in (0, 1)}
    assert [cell.scores for cell in cells] == [cell["scores"] for cell in stored[1]]
    assert [cell.baseline for cell in cells] == [cell["scores"] for cell in stored[0]]
    assert not any("baseline" in cell for cells in stored.values() for cell in cells)
    failures = run.read_result("validation-1")["failures"]
    assert [each["source"] for each in failures] == list(dict.fromkeys(cell.source for cell in cells))
    # Earlier releases wrote a baseline into every cell; it is ignored.
    with_baseline = [{**cell, "baseline": [0.0] * len(cell["scores"])} for cell in stored[1]]
    run.write_result("validation-1", {"cells": with_baseline})
    assert evaluate_stage(run, 1).cells == cells


def test_two_runs_with_the_same_settings_have_separate_models(run, tmp_path_factory, monkeypatch):
    monkeypatch.undo()  # The other tests share models.
    other = make_run(tmp_path_factory.mktemp("other"))
    settings = AdjustableSettings.of(run.config)
    mine = session_of(run)
    learner = mine.learner(settings)
    assert session_of(RunFolder.at(run.place)).learner(settings) is learner
    assert session_of(other).learner(settings) is not learner
    assert mine.learner(settings) is learner
