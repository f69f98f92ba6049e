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

import functools
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from metamapping import checkpoints
from metamapping.adjustment import (
    Round,
    Settings,
    adjust,
    averaged_rounds,
    settings_of,
    start_round,
)
from metamapping.config import (
    ROLES,
    ConfigError,
    EncoderSpec,
    EvaluationSpec,
    Role,
    RunConfig,
    SolverName,
    TrainingSpec,
)
from metamapping.convergence import judge
from metamapping.corpus.label_counts import count_labels
from metamapping.corpus.shards import read_shards
from metamapping.corpus.sources import check_sources
from metamapping.corpus.tokens import encode_texts, load_tokenizer
from metamapping.episodes.label_space import LabelSpace, build_label_space, check_enough_examples
from metamapping.reports import Cell, RoundReport, TrainingReport, training_of_mean
from metamapping.runs import Corpus, RunFolder, run_id
from metamapping.store import Stage

if TYPE_CHECKING:
    from metamapping.training import Learner

StepCallback = Callable[[int, float], None]
TextsCallback = Callable[[str, int], None]


def open_run(config: RunConfig, corpus: Corpus) -> RunFolder:
    """The folder of this configuration's run, with the untrained encoder as its round 0.

    Raises ``ConfigError`` where a source has too few examples for its episodes.
    """
    run = RunFolder(config.home, run_id(config, corpus.fingerprints))
    if not run.is_open:
        check_label_spaces(config, corpus)
        run.open(config, corpus)
    return run


def check_run(config: RunConfig) -> None:
    """Refuse, before anything runs, sources that cannot be read or have too few examples of a label.

    Raises ``ConfigError``. What only shows after cleaning is refused by ``open_run``.
    """
    check_sources(config.home, config.sources)
    for source in config.sources:
        counts = count_labels(source)
        if counts is None:
            continue
        for role in ROLES:
            if source in config.sources_with(role):
                labels = source.label_roles[role] if source.label_roles else counts
                of_role = {label: counts[label] for label in labels if label in counts}
                _check_enough(source.name, of_role, role, config.evaluation, source.task_type == "ner")


def check_label_spaces(config: RunConfig, corpus: Corpus) -> None:
    """Refuse sources whose labels have too few examples left, before anything is trained."""
    for role in ROLES:
        for space in read_spaces(config, corpus, role):
            _check_enough(space.source, space.counts, role, config.evaluation, space.is_ner)


def _check_enough(
    source: str, counts: Mapping[str, int], role: Role, evaluation: EvaluationSpec, is_ner: bool
) -> None:
    shots = max(evaluation.shots)
    if role == "train":
        check_enough_examples(source, counts, needed=2, why="1 shot + 1 query")
    elif is_ner:
        check_enough_examples(source, counts, needed=shots + 1, why=f"{shots} shots + 1 query")
    else:
        needed, why = shots + evaluation.num_queries, f"{shots} shots + {evaluation.num_queries} queries"
        check_enough_examples(source, counts, needed=needed, why=why)


def initialise_stage(run: RunFolder) -> None:
    """Save the untrained encoder as round 0."""
    if run.checkpoint(0).is_dir():
        return
    from metamapping import training

    config = run.config
    learner = training.build_learner(
        config.encoder,
        config.training,
        vocabulary_size=run.corpus.vocabulary_size,
        seed=config.seed,
    )
    checkpoints.save_checkpoint(run.checkpoint(0), learner, {"round": 0, "step": 0})


def train_stage(run: RunFolder, round: int, *, on_step: StepCallback | None = None) -> TrainingReport:
    """Train one round from the checkpoint that the history names; ``on_step`` as in ``training``.

    Where the history says so, the round is the mean of others instead, and nothing is trained.
    """
    done = checkpoints.read_state(run.checkpoint(round))
    if done is not None:
        return TrainingReport.model_validate(done["report"])
    history = run.read_history()
    if len(history) != round - 1:
        raise ConfigError(
            f"run {run.run_id} has {len(history)} judged rounds, so round {len(history) + 1} is the "
            f"next to train, not {round}"
        )
    settings = settings_of(Settings.of(run.config), history)
    learner = _learner(run, settings)
    step = checkpoints.load_start(run.checkpoint(start_round(history)), learner)["step"]
    averaged = averaged_rounds(history)
    if averaged:
        checkpoints.load_mean([run.checkpoint(number) for number in averaged], learner)
        report = training_of_mean([history[number - 1].report for number in averaged])
    else:
        report = _train(run, learner, settings, round, step, on_step)
    state = {
        "round": round,
        "step": step + report.meta_steps,
        "report": report.model_dump(mode="json"),
    }
    checkpoints.save_checkpoint(run.checkpoint(round), learner, state)
    checkpoints.remove_partials(run.partial(round))
    return report


def evaluate_stage(run: RunFolder, round: int, *, on_progress: TextsCallback | None = None) -> RoundReport:
    """A trained round's report: its training, and its scores on the validation sources."""
    return RoundReport(
        round=round,
        checkpoint=run.checkpoint(round).name,
        training=train_stage(run, round),
        cells=measure_stage(run, round, role="validation", on_progress=on_progress),
    )


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


def adjust_stage(run: RunFolder, round: int) -> Round:
    """Judge a round against the history, decide what changes, and write both down."""
    history = run.read_history()
    if len(history) >= round:
        return history[round - 1]
    config, report = run.config, evaluate_stage(run, round)
    verdict = judge([*(judged.report for judged in history), report], config.convergence)
    adjustments = adjust(history, report, verdict, Settings.of(config), config.adjustment)
    judged = Round(report=report, verdict=verdict, adjustments=adjustments)
    run.append_round(judged)
    return judged


def publish_stage(run: RunFolder, *, on_progress: TextsCallback | None = None) -> Path:
    """Publish the best round, with its scores on the test sources, which are touched here alone."""
    if run.published.is_dir():
        return run.published
    from metamapping import publishing
    from metamapping.doors.families import family_of
    from metamapping.model_card import model_card
    from metamapping.pictures import learning_curve_png
    from metamapping.published_folder import FORMAT_VERSION

    config, corpus, history = run.config, run.corpus, run.read_history()
    best = history[-1].verdict.best_round
    cells = measure_stage(run, best, role="test", on_progress=on_progress)
    learner = _learner(run, Settings.of(config))
    checkpoints.load_weights(run.checkpoint(best), learner)
    model = publishing.PublishedModel(
        encoder=learner.encoder,
        mapping=learner.mapping,
        tokenizer_folder=Path(corpus.tokenizer.path),
        max_length_tokens=config.encoder.max_length_tokens,
        cleaning=config.cleaning,
    )
    stage = Stage(
        kind="published",
        name=config.name,
        version=FORMAT_VERSION,
        # Where the files lay is nobody's business; their bytes are in the fingerprints.
        settings=config.model_dump(mode="json", exclude={"home": True, "sources": {"__all__": {"files"}}}),
        upstream=corpus.fingerprints,
    )
    family = family_of(learner.encoder.backbone)
    card = model_card(config, corpus, history, cells, family=None if family is None else family.model_type)
    provenance = publishing.Provenance(stage, cells, card, learning_curve_png(history))
    publishing.write_published(run.published, model, provenance)
    return run.published


def read_spaces(config: RunConfig, corpus: Corpus, role: Role) -> list[LabelSpace]:
    """The label spaces of all sources that serve ``role``, from their token shards."""
    tokenizer = load_tokenizer(corpus.tokenizer.path, max_length_tokens=config.encoder.max_length_tokens)
    tokens = {reference.name: reference for reference in corpus.tokens}
    return [
        build_label_space(
            source,
            read_shards(tokens[source.name].path),
            role=role,
            tokenize_names=lambda names: encode_texts(tokenizer, names).token_ids,
        )
        for source in config.sources_with(role)
    ]


def _train(
    run: RunFolder,
    learner: Learner,
    settings: Settings,
    round: int,
    first_step: int,
    on_step: StepCallback | None,
) -> TrainingReport:
    """The meta-steps of a round, from the weights that the learner has."""
    from metamapping import training
    from metamapping.agreement import measure_agreements
    from metamapping.models.encoder import num_frozen_layers

    config = run.config
    plan = training.RoundPlan(
        round=round,
        seed=config.seed,
        first_step=first_step,
        episodes=settings.episodes,
        training=settings.training,
    )
    spaces = read_spaces(config, run.corpus, "train")
    report = training.train_round(learner, spaces, plan, folder=run.partial(round), on_step=on_step)
    started, agreements = time.monotonic(), {}
    if "without" in config.adjustment.moves and math.isfinite(report.loss):
        agreements = measure_agreements(learner, spaces, plan)
    return report.model_copy(
        update={
            "seconds": report.seconds + time.monotonic() - started,
            "agreements": agreements,
            "frozen_layers": num_frozen_layers(learner.encoder.backbone),
        }
    )


def _measure(run: RunFolder, round: int, role: Role, on_progress: TextsCallback | None) -> list[Cell]:
    from metamapping import evaluation

    config = run.config
    # The settings that the round was trained with, so that the learner built for that serves again.
    learner = _learner(run, settings_of(Settings.of(config), run.read_history()[: max(round, 1) - 1]))
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
        )
        for space in spaces
        for shots in config.evaluation.shots
    ]


def _learner(run: RunFolder, settings: Settings) -> Learner:
    """A learner of the run's shape, whose weights the caller sets from a checkpoint."""
    encoder = run.config.encoder.model_copy(update={"trainable_layers": settings.trainable_layers})
    return _shared_learner(
        encoder.model_dump_json(),
        settings.training.weight_decay,
        settings.training.solver,
        run.corpus.vocabulary_size,
    )


@functools.lru_cache(maxsize=1)
def _shared_learner(
    encoder_json: str, weight_decay: float, solver: SolverName, vocabulary_size: int
) -> Learner:
    # Stages of one process share the built model and what is compiled for it.
    from metamapping import training

    return training.build_learner(
        EncoderSpec.model_validate_json(encoder_json),
        TrainingSpec(weight_decay=weight_decay, solver=solver),
        vocabulary_size=vocabulary_size,
        seed=0,
    )
