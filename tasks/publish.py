"""The task that publishes the best round."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.runs.folder import RunFolder
from metamapping.runs.publish_best import publish_stage
from metamapping.storage.remote import place_of
from tasks.artifacts import artifact_key, shown_card
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
    with show_progress("test sources", total=len(sources)) as advance:
        folder = publish_stage(run, on_progress=lambda source, _: advance(sources.index(source), source))
        advance(len(sources), "")
    create_markdown_artifact(
        key=artifact_key("model-card", run_id),
        markdown=shown_card(folder),
        description=f"Published: {place_of(folder)}",
    )
    return place_of(folder)
