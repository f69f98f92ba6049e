"""Publish the best round of a run that has come to its end."""

from __future__ import annotations

from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.stage_runs import resume_parents
from tasks.publish import publish_best


@flow(
    name="publish",
    flow_run_name="publish {run_id}",
    persist_result=True,
    result_serializer="json",
    on_completion=[resume_parents],
)
def publish(
    run_id: Annotated[str, Field(description="The run, as `meta-pretraining` named it.")],
    home: Annotated[str, Field(description="Folder of the store and the runs.")] = ".metamapping",
) -> str:
    """The folder of the published encoder."""
    return publish_best(home, run_id)
