"""The task that evaluates a round on held-out sources."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.rounds.statistics import round_accuracy
from metamapping.rounds.tables import source_shots_markdown
from metamapping.runs.folder import RunFolder
from metamapping.runs.measuring import checkpoints_to_measure
from metamapping.runs.progress import count_sources, load_tensorflow
from metamapping.runs.stages import evaluate_stage
from tasks.artifacts import artifact_key
from tasks.headline import with_headline
from tasks.measure import measure_of
from tasks.progress import show_progress
from tasks.retries import may_go_away


@task(
    task_run_name="episodes of round {round_number}",
    cache_policy=NO_CACHE,
    retries=1,
    retry_delay_seconds=5,
    retry_condition_fn=may_go_away,
    tags=["evaluate"],
)
def evaluate(home: str, run_id: str, round_number: int) -> dict[str, Any]:
    """Evaluate a trained round on the validation sources, and show its scores as an artifact.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the run.
        round_number: Number of a trained round.

    Returns:
        The round's report as JSON.
    """
    run = RunFolder(home, run_id)
    sources = [source.name for source in run.config.sources_with("validation")]
    passes = len(checkpoints_to_measure(run, round_number, "validation"))
    measure = measure_of(home, run)
    if passes and measure is None:
        load_tensorflow()
    total = passes * len(sources)
    with show_progress(f"round {round_number}: validation sources", total=total) as work:
        report = evaluate_stage(run, round_number, on_progress=count_sources(work, sources), measure=measure)
        work.advance(total)
    create_markdown_artifact(
        key=artifact_key("validation-scores", run_id),
        markdown=source_shots_markdown(report),
        description=f"Validation sources, round {round_number} of {run_id}, next to before meta-training",
    )
    return with_headline(report.model_dump(mode="json"), f"{round_accuracy(report).mean:.3f}")
