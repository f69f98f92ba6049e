"""The task that compares two runs."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.runs.comparison import compare_runs
from metamapping.runs.folder import RunFolder
from metamapping.runs.plots import comparison_png
from tasks.artifacts import artifact_key, create_picture


@task(task_run_name="compare {first} and {second}", cache_policy=NO_CACHE, tags=["compare"])
def compare(home: str, first: str, second: str) -> str:
    """Compare two runs, show tables and plot as artifacts, and return the conclusion as one sentence.

    Args:
        home: Folder or address of the store and the runs.
        first: ID of the run to compare with.
        second: ID of the run that is compared with it.
    """
    comparison = compare_runs(RunFolder(home, first), RunFolder(home, second))
    create_markdown_artifact(
        key=artifact_key("comparison", f"{first}-{second}"),
        markdown=comparison.markdown(),
        description=f"{first} and {second}: {comparison.sentence}",
    )
    create_picture(
        comparison_png(comparison),
        key=artifact_key("comparison-picture", f"{first}-{second}"),
        description=f"{second} against {first}",
    )
    return comparison.sentence
