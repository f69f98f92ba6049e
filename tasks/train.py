"""Opening a run and training one of its rounds."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.config.schema import RunConfig
from metamapping.corpus.prepared import Corpus
from metamapping.runs.folder import RunFolder
from metamapping.runs.round_training import train_stage
from metamapping.runs.stages import initialise_stage, open_run
from tasks.progress import show_progress


@task(task_run_name="open run {config.name}", cache_policy=NO_CACHE)
def open_training_run(config: RunConfig, corpus: dict[str, Any]) -> str:
    """Check the label spaces, write down the run, and return its id."""
    return open_run(config, Corpus.model_validate(corpus)).run_id


@task(
    task_run_name="meta-steps of round {round}",
    cache_policy=NO_CACHE,
    retries=1,
    retry_delay_seconds=5,
    tags=["train"],
)
def train(home: str, run_id: str, round: int) -> dict[str, Any]:
    """Train a round and return its training report."""
    run = RunFolder(home, run_id)
    initialise_stage(run)
    total = run.config.training.meta_steps
    with show_progress(f"round {round}: meta-steps", total=total) as advance:
        report = train_stage(run, round, on_step=lambda done, loss: advance(done, f"loss {loss:.3f}"))
    create_table_artifact(
        key="source-losses",
        table=[{"source": name, "loss": round_(loss)} for name, loss in report.source_losses.items()],
        description=f"Mean query loss of each source in round {round} of {run_id}",
    )
    return report.model_dump(mode="json")


def round_(value: float) -> float | str:
    """Three digits for a table; words for what JSON has no number for."""
    return float(f"{value:.3g}") if value == value else "not a number"
