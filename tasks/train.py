"""The tasks that open a run and train one of its rounds."""

from __future__ import annotations

import math
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.config.schema import RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.runs.folder import RunFolder
from metamapping.runs.plan import describe_plan, describe_training_time
from metamapping.runs.progress import load_tensorflow
from metamapping.runs.round_training import train_stage
from metamapping.runs.screen import current_screen
from metamapping.runs.stages import initialise_stage, open_run
from tasks.artifacts import artifact_key
from tasks.headline import with_headline
from tasks.progress import say, show_progress
from tasks.retries import may_go_away


@task(task_run_name="open run {config.name}", cache_policy=NO_CACHE)
def open_training_run(config: RunConfig, corpus: dict[str, Any]) -> str:
    """Check the label spaces, write the folder of the run, and return the run's id.

    Args:
        config: The configuration of the run.
        corpus: The result of `prepare-corpus`.
    """
    run = open_run(config, Corpus.model_validate(corpus))
    for line in describe_plan(run):
        say(line)
    current_screen().begin_laps()
    return run.run_id


@task(
    task_run_name="meta-steps of round {round_number}",
    cache_policy=NO_CACHE,
    retries=1,
    retry_delay_seconds=5,
    retry_condition_fn=may_go_away,
    tags=["train"],
)
def train(home: str, run_id: str, round_number: int) -> dict[str, Any]:
    """Train a round, and show the loss of each source as an artifact.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the run.
        round_number: Number of the round; the rounds before it are finished.

    Returns:
        The training report as JSON.
    """
    run = RunFolder(home, run_id)
    if run.read_training(round_number) is None:
        load_tensorflow()
    with current_screen().work("building the encoder"):
        initialise_stage(run)
    total = run.config.training.meta_steps
    with show_progress(f"round {round_number}: meta-steps", total=total) as work:

        def on_step(done: int, loss: float) -> None:
            work.advance(done, f"loss {loss:.3f}")
            if (line := describe_training_time(work, round_number, run.config)) is not None:
                say(line)

        work.advance(0, "compiling the first step")
        report = train_stage(
            run,
            round_number,
            on_step=on_step,
        )
    create_table_artifact(
        key=artifact_key("source-losses", run_id),
        table=[{"source": name, "loss": _shown(loss)} for name, loss in report.source_losses.items()],
        description=f"Mean query loss of each source in round {round_number} of {run_id}",
    )
    loss = "" if math.isnan(report.loss) else f"loss {report.loss:.3f}"
    return with_headline(report.model_dump(mode="json"), loss or "diverged")


def is_trained(home: str, run_id: str, round_number: int) -> bool:
    """Whether a round is trained already, so that `train` only reads its report.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the run.
        round_number: Number of the round.
    """
    return RunFolder(home, run_id).read_training(round_number) is not None


def _shown(loss: float) -> float | str:
    """The loss with three digits, for a table; NaN as text, because JSON has no NaN."""
    return "not a number" if math.isnan(loss) else float(f"{loss:.3g}")
