"""The decorator of the stage flows: what every stage of a run has in common.

    @stage_flow("train-round", "train {run_id} round {round}")
    def train_round(run_id: str, round: int, home: str = ".metamapping") -> dict[str, Any]: ...

The result is persisted as JSON, so that a parent which is retried can read it without running the stage
again. The hooks keep the state of the flow run correct (``flows.state_watchdog``) and resume the parent
when a retried stage completes (``flows.subflows``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prefect import Flow, flow

from flows.state_watchdog import keep_cancelled, watch_state
from flows.subflows import resume_parents

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def stage_flow(
    name: str, run_name: str
) -> Callable[[Callable[Parameters, Result]], Flow[Parameters, Result]]:
    """Turn a function into the flow of a stage.

    Args:
        name: Name of the flow and of its deployment.
        run_name: Template for the names of its flow runs, filled with the flow's parameters.
    """
    return flow(
        name=name,
        flow_run_name=run_name,
        persist_result=True,
        result_serializer="json",
        on_running=[watch_state],
        on_crashed=[keep_cancelled],
        on_completion=[resume_parents],
    )
