"""The flow that puts the run back into production that was there before."""

from __future__ import annotations

from typing import Annotated, cast

from prefect import flow
from prefect.states import Completed
from pydantic import Field

from flows.outcomes import ROLLED_BACK
from flows.run_names import name_run
from tasks.promotion import roll_production_back


@flow(
    name="rollback",
    flow_run_name=name_run("roll production back"),
    persist_result=True,
    result_serializer="json",
)
def rollback(
    by: Annotated[str, Field(min_length=1)],
    why: Annotated[str, Field(min_length=1)],
    home: str = ".metamapping",
) -> str:
    """Put the run back into production that was there before the current one.

    Args:
        by: Your name, for the history.
        why: The reason, one sentence, for the history.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    sentence = roll_production_back(home, why, by)
    return cast(str, Completed(name=ROLLED_BACK, message=sentence, data=sentence))
