"""Stages: what each step of a run does to the run's folder, without Prefect.

A stage first checks whether its work is done already, and in that case returns the stored result. So a
run that was killed resumes when the same stages are called again. Stages read configuration and corpus from
the run's own ``run.json``: the run and the number of a round are all they need.

    run = open_run(config, corpus)
    initialise_stage(run)
    for number in range(1, config.convergence.max_rounds + 1):
        train_stage(run, number)                       # round_training
        evaluate_stage(run, number)
        if adjust_stage(run, number).verdict.is_final:
            break
    publish_stage(run)                                 # publish_best
"""

from __future__ import annotations

from typing import Any

from metamapping.config.schema import RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.errors import ConfigError
from metamapping.models.keras_import import lean_keras
from metamapping.rounds.adjustment import adjust
from metamapping.rounds.next_round import needed_rounds
from metamapping.rounds.records import Round, RoundReport
from metamapping.rounds.settings import AdjustableSettings
from metamapping.rounds.verdict import judge
from metamapping.runs.continuation import load_start_weights, with_start_of
from metamapping.runs.folder import RunFolder, run_id
from metamapping.runs.label_spaces import check_label_spaces
from metamapping.runs.lock import exclusive, locked
from metamapping.runs.measuring import Measure, TextsCallback, measure_stage
from metamapping.runs.run_page import write_run_page
from metamapping.runs.tensorboard import write_round_curves
from metamapping.runs.tracking import track_run
from metamapping.storage import remote
from metamapping.training import checkpoints


def open_run(config: RunConfig, corpus: Corpus) -> RunFolder:
    """Open the folder of this configuration's run, and create it if it does not exist.

    Args:
        config: The configuration of the run.
        corpus: The prepared sources, in the configuration's order.

    Returns:
        The opened run.

    Raises:
        ConfigError: A source has too few examples for its episodes.
    """
    config = with_start_of(config, corpus)
    run = RunFolder(config.home, run_id(config, corpus.fingerprints))
    with locked(run):
        if not run.is_open:
            check_label_spaces(config, corpus)
            run.open(config, corpus)
        elif _without_effect(run.config) != _without_effect(config):
            # The run resumes on the new devices, by the new rules.
            run.open(config, corpus)
            run = RunFolder(config.home, run.run_id)
    track_run(run)
    return run


def _without_effect(config: RunConfig) -> tuple[Any, ...]:
    """The settings that a run can resume with, because they do not affect its result."""
    return config.engine, config.training.devices, config.promotion, config.tracking


@exclusive
def initialise_stage(run: RunFolder) -> None:
    """Save the encoder that the run starts from as round 0, unless that has been done.

    Args:
        run: An opened run.

    Raises:
        ConfigError: The encoder's preset cannot be read, or does not fit the configuration.
    """
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
    load_start_weights(config, learner)
    checkpoints.save_checkpoint(run.checkpoint(0), learner, {"round": 0, "step": 0})


def evaluate_stage(
    run: RunFolder,
    round: int,
    *,
    on_progress: TextsCallback | None = None,
    measure: Measure | None = None,
) -> RoundReport:
    """Evaluate a trained round on the validation sources.

    Args:
        run: An opened run.
        round: A round that has been trained.
        on_progress: Called with a source's name and the number of texts just encoded.
        measure: Measures the sources. Default: this process, one after another.

    Returns:
        The round's training and its scores, together with those of the encoder before meta-training.

    Raises:
        ConfigError: The round is not trained yet.
    """
    training = run.read_training(round)
    if training is None:
        raise ConfigError(
            f"round {round} of run {run.run_id} is not trained yet: train it first (`train-round`), "
            "then evaluate it"
        )
    return RoundReport(
        round=round,
        checkpoint=run.checkpoint(round).name,
        training=training,
        cells=measure_stage(run, round, role="validation", on_progress=on_progress, measure=measure),
    )


@exclusive
def adjust_stage(run: RunFolder, round: int) -> Round:
    """Judge a round by the history, decide what the next one changes, and store both.

    Earlier rounds that are missing in the history, because it was damaged and removed, are judged again
    from the scores in the run's folder.

    Args:
        run: An opened run.
        round: A round that has been trained; it is evaluated if that has not been done.

    Returns:
        The judged round.

    Raises:
        ConfigError: The round is not trained yet.
    """
    history = run.read_history()
    if len(history) >= round:
        return history[round - 1]
    if len(history) < round - 1:
        adjust_stage(run, round - 1)
        history = run.read_history()
    config, report = run.config, evaluate_stage(run, round)
    verdict = judge([*(judged.report for judged in history), report], config.convergence)
    adjustments = adjust(history, report, verdict, AdjustableSettings.of(config), config.adjustment)
    judged = Round(report=report, verdict=verdict, adjustments=adjustments)
    write_round_curves(run.tensorboard, report)
    remote.share_folder(run.tensorboard)
    run.append_round(judged)
    if config.training.keep_checkpoints == "needed":
        keep = needed_rounds([*history, judged])
        for number in set(range(round)) - keep:
            checkpoints.drop_weights(run.checkpoint(number))
    write_run_page(run)
    track_run(run)
    return judged
