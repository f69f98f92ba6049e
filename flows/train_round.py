"""Train one round of a run."""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.state_watchdog import look_after, stay_cancelled
from flows.subflows import resume_parents
from tasks.train import train


@flow(
    name="train-round",
    flow_run_name="train {run_id} round {round}",
    persist_result=True,
    result_serializer="json",
    on_running=[look_after],
    on_crashed=[stay_cancelled],
    on_completion=[resume_parents],
)
def train_round(
    run_id: str, round: Annotated[int, Field(ge=1)], home: str = ".metamapping"
) -> dict[str, Any]:
    """Meta-steps from the checkpoint that the history names; done at once where it is done.

    Args:
        run_id: The run, as `meta-pretraining` named it: `<name>-<16 hexadecimal digits>`.
        round: The round to train; those before must be done.
        home: Folder of the store and the runs; the one of the run's configuration.
    """
    return train(home, run_id, round)
