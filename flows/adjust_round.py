"""Judge one round of a run, and adjust the next one's training."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.state_watchdog import look_after, stay_cancelled
from flows.subflows import resume_parents
from tasks.adjust import judge_and_adjust


@flow(
    name="adjust-round",
    flow_run_name="adjust {run_id} round {round}",
    persist_result=True,
    result_serializer="json",
    on_running=[look_after],
    on_crashed=[stay_cancelled],
    on_completion=[resume_parents],
)
def adjust_round(
    run_id: str, round: Annotated[int, Field(ge=1)], home: str = ".metamapping"
) -> dict[str, Any]:
    """The verdict: whether to train again, and why.

    Args:
        run_id: The run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        round: An evaluated round.
        home: Folder of the store and the runs; the one of the run's configuration.
    """
    return judge_and_adjust(home, run_id, round)
