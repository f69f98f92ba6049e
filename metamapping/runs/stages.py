"""Stages: what each step of a run does to the run's folder, without Prefect.

Every stage first looks whether it is done, and returns what it found then; so a run that was
killed is continued by calling the same stages again. A stage reads its configuration and corpus
from the run's own ``run.json``: its id and a round's number are all it needs.

    run = open_run(config, corpus)
    for round in range(1, 6):
        train_stage(run, round)
        evaluate_stage(run, round)
        verdict = adjust_stage(run, round).verdict
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from metamapping.config.schema import Role, RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.episodes.sampler import SELECT_STREAM
from metamapping.errors import ConfigError
from metamapping.models.keras_import import lean_keras
from metamapping.publishing.layout import FORMAT_VERSION, check_published
from metamapping.rounds.adjustment import (
    Settings,
    adjust,
    mean_of_rounds,
    needed_rounds,
    settings_of,
    start_round,
)
from metamapping.rounds.records import Cell, Round, RoundReport, TrainingReport, training_of_mean
from metamapping.rounds.verdict import judge
from metamapping.runs.folder import RunFolder, run_id
from metamapping.runs.label_spaces import check_label_spaces, read_spaces
from metamapping.runs.lock import alone, locked
from metamapping.runs.multi_worker import train_together
from metamapping.runs.plots import closeness_png, learning_curve_png
from metamapping.runs.round_training import StepCallback, learner_of, train_learner, training_learner_of
from metamapping.runs.tensorboard import write_round_curves
from metamapping.storage import remote
from metamapping.storage.artifacts import Stage
from metamapping.training import checkpoints
from metamapping.training.source_selection import (
    Candidate,
    Selection,
    choose,
    listed,
    selection_markdown,
)
from metamapping.training.source_similarity import closeness_table, profile_of

TextsCallback = Callable[[str, int], None]
SourceCallback = Callable[[int, str], None]


def open_run(config: RunConfig, corpus: Corpus) -> RunFolder:
    """The folder of this configuration's run, with the untrained encoder as its round 0.

    Raises ``ConfigError`` where a source has too few examples for its episodes.
    """
    run = RunFolder(config.home, run_id(config, corpus.fingerprints))
    with locked(run):
        if not run.is_open:
            check_label_spaces(config, corpus)
            run.open(config, corpus)
        elif run.config.training.devices != config.training.devices:  # it goes on elsewhere
            run.open(config, corpus)
            run = RunFolder(config.home, run.run_id)
    return run


@alone
def initialise_stage(run: RunFolder) -> None:
    """Save the untrained encoder as round 0."""
    if checkpoints.read_state(run.checkpoint(0)) is not None:
        return
    with lean_keras():
        from metamapping.training.learner import build_learner

    config = run.config
    learner = build_learner(
        config.encoder,
        config.training,
        vocabulary_size=run.corpus.vocabulary_size,
        seed=config.seed,
    )
    checkpoints.save_checkpoint(run.checkpoint(0), learner, {"round": 0, "step": 0})


@alone
def select_stage(run: RunFolder, *, on_source: SourceCallback | None = None) -> Selection:
    """Which train sources the run trains on; a table and a picture of it stand in the run's folder.

    ``on_source`` is told the number of sources whose closeness has been measured, and the name.
    """
    config = run.config
    names = [(source.name, source.task_type) for source in config.sources_with("train")]
    if config.selection.mode == "all":
        return listed(names, [name for name, _ in names])
    done = run.read_result("selection")
    if done is not None:
        return Selection.model_validate(done)
    if config.selection.mode == "list":
        selection = listed(names, config.selection.sources)
    else:
        selection = _select_related(run, on_source)
        remote.write_file(run.path / "selection.png", closeness_png(selection))
    remote.write_file(run.path / "selection.md", f"{selection_markdown(selection)}\n".encode())
    run.write_result("selection", selection.model_dump())
    return selection


def train_stage(run: RunFolder, round: int, *, on_step: StepCallback | None = None) -> TrainingReport:
    """Train one round from the checkpoint that the history names; ``on_step`` as in ``training``.

    Where the history says so, the round is the mean of others instead, and nothing is trained.
    """
    if run.config.training.devices == "multi-worker":  # all workers must be in it at once
        return _train(run, round, on_step)
    with locked(run):
        return _train(run, round, on_step)


def _train(run: RunFolder, round: int, on_step: StepCallback | None) -> TrainingReport:
    done = checkpoints.read_state(run.checkpoint(round))
    if done is not None:
        return TrainingReport.model_validate(done["report"])
    history = run.read_history()[: round - 1]
    if len(history) != round - 1:
        raise ConfigError(
            f"run {run.run_id} has {len(history)} judged rounds, so round {len(history) + 1} is the "
            f"next to train, not {round}"
        )
    if run.config.training.devices == "multi-worker" and not mean_of_rounds(history):
        select_stage(run)
        train_together(run, round, on_step)
        return train_stage(run, round)
    return train_here(run, round, on_step=on_step)


def train_here(
    run: RunFolder, round: int, *, on_step: StepCallback | None = None, writes: bool = True
) -> TrainingReport:
    """``train_stage`` in this process; with ``writes`` false its part of what a chief writes."""
    history = run.read_history()[: round - 1]
    settings = settings_of(Settings.of(run.config), history)
    learner = training_learner_of(run, settings)
    step = checkpoints.load_start(run.checkpoint(start_round(history)), learner)["step"]
    shares = mean_of_rounds(history)
    if shares:
        checkpoints.load_mean({run.checkpoint(number): share for number, share in shares.items()}, learner)
        report = training_of_mean([judged.report for judged in history], shares)
    else:
        report = train_learner(
            run,
            learner,
            settings,
            round=round,
            first_step=step,
            sources=select_stage(run).chosen,
            on_step=on_step,
            writes=writes,
        )
    if writes:
        state = {
            "round": round,
            "step": step + report.meta_steps,
            "report": report.model_dump(mode="json"),
        }
        checkpoints.save_checkpoint(run.checkpoint(round), learner, state)
        checkpoints.remove_partials(run.partial(round))
        remote.share_folder(run.tensorboard)
    if settings.training.devices == "multi-worker":
        from metamapping.training.replicas import replicas_of

        # A worker that leaves early is taken for dead by the others.
        replicas_of(learner, settings.training).check_together(report.meta_steps)
    return report


def evaluate_stage(run: RunFolder, round: int, *, on_progress: TextsCallback | None = None) -> RoundReport:
    """A trained round's report: its training, and its scores on the validation sources."""
    return RoundReport(
        round=round,
        checkpoint=run.checkpoint(round).name,
        training=train_stage(run, round),
        cells=measure_stage(run, round, role="validation", on_progress=on_progress),
    )


@alone
def measure_stage(
    run: RunFolder, round: int, *, role: Role, on_progress: TextsCallback | None = None
) -> list[Cell]:
    """Scores of a round's checkpoint on the held-out sources of ``role``.

    The baseline in each cell is round 0, the untrained encoder, on the same episodes.
    """
    name = f"{role}-{round}"
    done = run.read_result(name)
    if done is None:
        done = {"cells": [cell.model_dump() for cell in _measure(run, round, role, on_progress)]}
        run.write_result(name, done)
    cells = [Cell.model_validate(cell) for cell in done["cells"]]
    if round == 0:
        return cells
    untrained = measure_stage(run, 0, role=role, on_progress=on_progress)
    return [
        cell.model_copy(update={"baseline": before.scores})
        for cell, before in zip(cells, untrained, strict=True)
    ]


@alone
def adjust_stage(run: RunFolder, round: int) -> Round:
    """Judge a round against the history, decide what changes, and write both down.

    Rounds before it that are missing in the history, because it was damaged and removed, are judged
    again from the scores that stand beside it.
    """
    history = run.read_history()
    if len(history) >= round:
        return history[round - 1]
    if len(history) < round - 1:
        adjust_stage(run, round - 1)
        history = run.read_history()
    config, report = run.config, evaluate_stage(run, round)
    verdict = judge([*(judged.report for judged in history), report], config.convergence)
    adjustments = adjust(history, report, verdict, Settings.of(config), config.adjustment)
    judged = Round(report=report, verdict=verdict, adjustments=adjustments)
    write_round_curves(run.tensorboard, report)
    remote.share_folder(run.tensorboard)
    run.append_round(judged)
    if config.training.keep_checkpoints == "needed":
        keep = needed_rounds([*history, judged])
        for number in set(range(round)) - keep:
            checkpoints.drop_weights(run.checkpoint(number))
    return judged


@alone
def publish_stage(run: RunFolder, *, on_progress: TextsCallback | None = None) -> Path:
    """Publish the best round, with its scores on the test sources, which are touched here alone."""
    if run.has_published:
        folder = remote.open_folder(run.published)
        check_published(folder)
        return folder
    with lean_keras():
        from metamapping.interop.families import family_of
        from metamapping.publishing import published_model
    from metamapping.publishing.model_card import model_card

    config, corpus, history = run.config, run.corpus, run.read_history()
    best = history[-1].verdict.best_round
    cells = measure_stage(run, best, role="test", on_progress=on_progress)
    learner = learner_of(run, Settings.of(config))
    checkpoints.load_weights(run.checkpoint(best), learner)
    model = published_model.PublishedModel(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=corpus.tokenizer.fetch(),
        max_length_tokens=config.encoder.max_length_tokens,
        cleaning=config.cleaning,
    )
    stage = Stage(
        kind="published",
        name=config.name,
        version=FORMAT_VERSION,
        # Where the files lay is nobody's business; their bytes are in the fingerprints.
        settings=config.model_dump(
            mode="json", exclude={"home": True, "engine": True, "sources": {"__all__": {"files"}}}
        ),
        upstream=corpus.fingerprints,
    )
    family = family_of(learner.encoder.backbone)
    card = model_card(
        _as_trained(run), corpus, history, cells, family=None if family is None else family.model_type
    )
    provenance = published_model.Provenance(stage, cells, card, learning_curve_png(history))
    published_model.write_published(run.published, model, provenance)
    return remote.open_folder(run.published)


def _as_trained(run: RunFolder) -> RunConfig:
    """The configuration without the train sources that were not selected, for the model card."""
    chosen = select_stage(run).chosen
    kept = [each for each in run.config.sources if each.role != "train" or each.name in chosen]
    return run.config.model_copy(update={"sources": kept})


def _select_related(run: RunFolder, on_source: SourceCallback | None) -> Selection:
    """The train sources most related to the targets, by the untrained encoder's features."""
    config = run.config
    initialise_stage(run)
    learner = learner_of(run, Settings.of(config))
    checkpoints.load_weights(run.checkpoint(0), learner)
    train = read_spaces(config, run.corpus, "train")
    seen, targets = {space.source for space in train}, config.selection.targets
    others = [name for name in targets if name not in seen]
    spaces = [*train, *read_spaces(config, run.corpus, "validation", only=others)]
    profiles, candidates = [], []
    for number, space in enumerate(spaces):
        rng = np.random.default_rng([config.seed, SELECT_STREAM, number])
        profiles.append(profile_of(learner.encoder, space, rng))
        is_train = space.source in seen
        candidates.append(Candidate(space.source, space.task_type, is_train, space.source in targets))
        if on_source is not None:
            on_source(number + 1, space.source)
    return choose(candidates, closeness_table(profiles), config.selection)


def _measure(run: RunFolder, round: int, role: Role, on_progress: TextsCallback | None) -> list[Cell]:
    from metamapping.adaptation import evaluation

    config = run.config
    # The settings that the round was trained with, so that the learner built for that serves again.
    learner = learner_of(run, settings_of(Settings.of(config), run.read_history()[: max(round, 1) - 1]))
    checkpoints.load_weights(run.checkpoint(round), learner)
    spaces = read_spaces(config, run.corpus, role)
    scores = evaluation.evaluate(
        learner.encoder,
        learner.mapping,
        spaces,
        config.evaluation,
        seed=config.seed,
        on_progress=on_progress,
    )
    return [
        Cell(
            source=space.source,
            task_type=space.task_type,
            shots=shots,
            scores=scores[space.source, shots],
            baseline=scores[space.source, shots],
            ways=min(config.evaluation.ways, len(space.labels)),
        )
        for space in spaces
        for shots in config.evaluation.shots
    ]
