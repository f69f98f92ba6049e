"""The task that compares two runs."""

from __future__ import annotations

import base64

from prefect import task
from prefect.artifacts import create_image_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.runs.comparison import compare_runs
from metamapping.runs.folder import RunFolder
from metamapping.runs.plots import comparison_png


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
        key="comparison",
        markdown=comparison.markdown(),
        description=f"{first} and {second}: {comparison.sentence}",
    )
    png = base64.b64encode(comparison_png(comparison)).decode()
    create_image_artifact(
        image_url=f"data:image/png;base64,{png}",
        key="comparison-picture",
        description=f"{second} against {first}",
    )
    return comparison.sentence
