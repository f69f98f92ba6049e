"""The training stage: trains one round of a run, from the checkpoint that the history selects.

The call chain from the Prefect task down: ``tasks.train`` calls ``train_stage``, which prepares what
``training.loop.train_round`` needs and saves what it returns; the loop takes the meta-steps.

    report = train_stage(run, 2, on_step=print)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from statistics import fmean
from typing import TYPE_CHECKING

from metamapping.errors import ConfigError
from metamapping.rounds.next_round import mean_of_rounds, settings_of, start_round, training_of_mean
from metamapping.rounds.records import Round, TrainingReport
from metamapping.rounds.settings import AdjustableSettings
from metamapping.runs.folder import RunFolder
from metamapping.runs.label_spaces import read_spaces
from metamapping.runs.lock import locked
from metamapping.runs.multi_worker import train_together
from metamapping.runs.select_sources import select_stage
from metamapping.runs.session import session_of
from metamapping.runs.tensorboard import TrainingCurve
from metamapping.runs.worker_part import StepCallback
from metamapping.storage import remote
from metamapping.training import checkpoints

if TYPE_CHECKING:  # these import TensorFlow, which takes seconds
    from metamapping.training.learner import Learner
    from metamapping.training.loop import RoundPlan
    from metamapping.training.replicas import Replicas


def train_stage(
    run: RunFolder,
    round: int,
    *,
    on_step: StepCallback | None = None,
    in_cluster: bool = False,
) -> TrainingReport:
    """Train one round, or return the report of a round that has been trained already.

    If the last adjustment says so, the round is the weighted mean of earlier rounds, and nothing is
    trained.

    Args:
        run: An opened run whose round 0 is initialised.
        round: The round to train, from 1; all rounds before it must be judged.
        on_step: Called after each meta-step with the number of steps done and the step's loss.
        in_cluster: Whether this process is a worker process that ``worker_part`` has started. Otherwise,
            with ``training.devices: multi-worker``, the round starts such a process.

    Returns:
        The round's training report.

    Raises:
        ConfigError: A round before this one is not judged yet.
        StoreError: A checkpoint is damaged.
    """
    is_distributed = run.config.training.devices == "multi-worker"
    # The workers of a cluster train under the lock that the chief's stage holds.
    with nullcontext() if in_cluster else locked(run):
        done = run.read_training(round)
        if done is not None:
            return done
        history = _history_before(run, round)
        settings = settings_of(AdjustableSettings.of(run.config), history)
        if mean_of_rounds(history):
            return _average_rounds(run, round, history, settings)
        if is_distributed and not in_cluster:
            select_stage(run)
            train_together(run, round, on_step)
            return train_stage(run, round)

        from metamapping.training.loop import RoundPlan, train_round

        replicas = session_of(run).replicas(settings)
        first_step = checkpoints.load_start(run.checkpoint(start_round(history)), replicas.learner)["step"]
        spaces = read_spaces(run.config, run.corpus, "train", only=select_stage(run).chosen)
        # Only the move `without` reads the agreement, after a round that is not the last one.
        measures = "without" in run.config.adjustment.moves and round < run.config.convergence.max_rounds
        plan = RoundPlan(
            round,
            run.config.seed,
            first_step,
            settings.episodes,
            settings.training,
            measures_agreement=measures,
        )
        with _recorded(run, plan, replicas, on_step) as on_recorded_step:
            report = train_round(replicas, spaces, plan, folder=run.partial(round), on_step=on_recorded_step)
        if replicas.is_chief:
            from metamapping.models.backbones import num_frozen_layers

            frozen = num_frozen_layers(replicas.learner.encoder.backbone)
            report = report.model_copy(update={"frozen_layers": frozen})
            _save(run, round, replicas.learner, report, step=first_step + report.meta_steps)
        if is_distributed:
            # Otherwise the other workers would treat a worker that exits early as failed.
            replicas.check_same_step(report.meta_steps)
        return report


def _history_before(run: RunFolder, round: int) -> list[Round]:
    history = run.read_history()[: round - 1]
    if len(history) != round - 1:
        raise ConfigError(
            f"run {run.run_id} has {len(history)} judged rounds, so the next round to train is "
            f"{len(history) + 1}, not {round}"
        )
    if history and history[-1].verdict.is_final:
        last = history[-1]
        raise ConfigError(
            f"run {run.run_id} is finished ({last.verdict.state} after round {last.report.round}), so there "
            f"is no round {round} to train: start a new run with other settings, such as a higher "
            "convergence.max_rounds"
        )
    return history


def _average_rounds(
    run: RunFolder, round: int, history: Sequence[Round], settings: AdjustableSettings
) -> TrainingReport:
    """The round as the weighted mean of earlier checkpoints."""
    learner = session_of(run).learner(settings, settings.training.precision)
    step = checkpoints.load_start(run.checkpoint(start_round(history)), learner)["step"]
    shares = mean_of_rounds(history)
    checkpoints.load_mean({run.checkpoint(number): share for number, share in shares.items()}, learner)
    report = training_of_mean([judged.report for judged in history], shares)
    _save(run, round, learner, report, step=step)
    return report


def _save(run: RunFolder, round: int, learner: Learner, report: TrainingReport, *, step: int) -> None:
    state = {"round": round, "step": step, "report": report.model_dump(mode="json")}
    checkpoints.save_checkpoint(run.checkpoint(round), learner, state)
    checkpoints.remove_partials(run.partial(round))
    remote.share_folder(run.tensorboard)


@contextmanager
def _recorded(
    run: RunFolder, plan: RoundPlan, replicas: Replicas, on_step: StepCallback | None
) -> Iterator[StepCallback | None]:
    """A step callback that also records the step in the round's TensorBoard curve, in the chief alone."""
    if not replicas.is_chief:
        yield on_step
        return
    # The curve counts all steps of the run so far, including those of abandoned rounds, so that no
    # round is drawn over another.
    steps_before = sum(judged.report.training.meta_steps for judged in run.read_history())
    with TrainingCurve(run.tensorboard, round=plan.round, first_step=steps_before) as curve:
        for loss in _losses_before_restart(run, plan):
            curve.add(loss=loss)

        def record(step: int, loss: float) -> None:
            curve.add(loss=loss, learning_rate=float(replicas.learner.encoder_optimizer.learning_rate))
            if on_step is not None:
                on_step(step, loss)

        yield record


def _losses_before_restart(run: RunFolder, plan: RoundPlan) -> list[float]:
    """The loss of each step that the round had done when it was interrupted."""
    partial = checkpoints.latest_partial(run.partial(plan.round))
    state = None if partial is None else checkpoints.read_state(partial)
    losses = [loss for _, loss in state["losses"]] if state else []
    num_batches = plan.training.num_batches
    return [fmean(losses[first : first + num_batches]) for first in range(0, len(losses), num_batches)]
