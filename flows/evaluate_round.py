"""Evaluate one round of a run on the validation sources."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.state_watchdog import look_after, stay_cancelled
from flows.subflows import resume_parents
from tasks.evaluate import evaluate


@flow(
    name="evaluate-round",
    flow_run_name="evaluate {run_id} round {round}",
    persist_result=True,
    result_serializer="json",
    on_running=[look_after],
    on_crashed=[stay_cancelled],
    on_completion=[resume_parents],
)
def evaluate_round(
    run_id: str, round: Annotated[int, Field(ge=1)], home: str = ".metamapping"
) -> dict[str, Any]:
    """The round's report: scores of the fixed episodes, beside those of the untrained encoder.

    Args:
        run_id: The run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        round: A trained round.
        home: Folder of the store and the runs; the one of the run's configuration.
    """
    return evaluate(home, run_id, round)
