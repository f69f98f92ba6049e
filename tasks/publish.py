"""The task that publishes the best round."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.runs.folder import RunFolder
from metamapping.runs.measuring import checkpoints_to_measure
from metamapping.runs.progress import count_sources, load_tensorflow
from metamapping.runs.publish_best import publish_stage
from metamapping.storage.remote import place_of
from tasks.artifacts import artifact_key, shown_card
from tasks.measure import measure_of
from tasks.progress import show_progress


@task(task_run_name="publish {run_id}", cache_policy=NO_CACHE, tags=["publish"])
def publish_best(home: str, run_id: str) -> str:
    """Evaluate the best round on the test sources and publish it, with its model card as an artifact.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of a run whose verdict is final.

    Returns:
        Folder or address of the published encoder.
    """
    run = RunFolder(home, run_id)
    sources = [source.name for source in run.config.sources_with("test")]
    best = run.read_history()[-1].verdict.best_round
    total = len(checkpoints_to_measure(run, best, "test")) * len(sources)
    if not run.has_published:
        load_tensorflow()
    with show_progress("publishing: test sources", total=total) as work:
        folder = publish_stage(run, on_progress=count_sources(work, sources), measure=measure_of(home, run))
        work.advance(total)
    create_markdown_artifact(
        key=artifact_key("model-card", run_id),
        markdown=shown_card(folder),
        description=f"Published: {place_of(folder)}",
    )
    return place_of(folder)
