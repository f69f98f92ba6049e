"""The task that shows a run on the page of its main flow run."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.runs.folder import RunFolder
from metamapping.runs.outcome import summary_markdown
from tasks.artifacts import artifact_key


@task(task_run_name="show {run_id}", cache_policy=NO_CACHE, persist_result=False)
def show_run(home: str, run_id: str) -> None:
    """Show verdict, rounds, test sources and places of a run as an artifact; the newest version counts.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of an opened run.
    """
    create_markdown_artifact(
        key=artifact_key("run", run_id),
        markdown=summary_markdown(RunFolder(home, run_id)),
        description=f"{run_id}: its rounds, its scores and where everything is",
    )
