"""The flow that puts a run into production by hand."""

from __future__ import annotations

from typing import Annotated, cast

from prefect import flow
from prefect.states import Completed
from pydantic import Field

from flows.outcomes import PROMOTED
from flows.run_names import name_run
from tasks.promotion import put_into_production


@flow(
    name="promote",
    flow_run_name=name_run("promote {run_id}"),
    persist_result=True,
    result_serializer="json",
)
def promote(
    by: Annotated[str, Field(min_length=1)],
    why: Annotated[str, Field(min_length=1)],
    run_id: str = "candidate",
    home: str = ".metamapping",
) -> str:
    """Put a published run into production, whatever the rules of its configuration say.

    Args:
        by: Your name, for the history.
        why: The reason, one sentence, for the history.
        run_id: ID of a published run, or `candidate`.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    sentence = put_into_production(home, run_id, why, by)
    return cast(str, Completed(name=PROMOTED, message=sentence, data=sentence))
