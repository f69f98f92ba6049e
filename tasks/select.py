"""The task that selects the sources a run trains on."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.rounds.wording import count
from metamapping.runs.folder import RunFolder
from metamapping.runs.plots import similarity_png
from metamapping.runs.select_sources import select_stage
from metamapping.training.source_selection import selection_markdown
from tasks.artifacts import artifact_key, create_picture
from tasks.headline import with_headline
from tasks.progress import say, show_progress


@task(task_run_name="select sources of {run_id}", cache_policy=NO_CACHE, tags=["select"])
def select(home: str, run_id: str) -> dict[str, Any]:
    """Select train sources, and show the selection and the sources' similarities as artifacts.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the run.

    Returns:
        The selection as JSON.
    """
    run = RunFolder(home, run_id)
    total = len(run.config.sources_with("train"))
    with show_progress("similarity of sources", total=total) as work:
        selection = select_stage(run, on_source=lambda done, source: work.advance(min(done, total), source))
    say(f"selected {len(selection.chosen)} of {total} train sources")
    create_markdown_artifact(
        key=artifact_key("selection", run_id),
        markdown=selection_markdown(selection),
        description=f"The train sources of {run_id}: {len(selection.chosen)} of {total} are selected",
    )
    if selection.similarity:
        create_picture(
            similarity_png(selection),
            key=artifact_key("similarity", run_id),
            description=f"How similar the sources of {run_id} are to each other",
        )
    return with_headline(
        selection.model_dump(mode="json"), f"{len(selection.chosen)} of {count(total, 'source')}"
    )
