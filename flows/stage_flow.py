"""The decorator of the stage flows: what every stage of a run has in common.

    @stage_flow("train-round", "train {run_id} round {round}")
    def train_round(run_id: str, round: int, home: str = ".metamapping") -> dict[str, Any]: ...

The result is persisted as JSON, so that a parent which is retried can read it without running the stage
again. The hooks tag the flow run with its run and add what it has found to its name (``flows.run_names``),
keep its state correct (``flows.state_watchdog``), and resume the parent when a retried stage completes
(``flows.subflows``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Flow, State, flow
from prefect.client.schemas.objects import FlowRun

from flows.run_names import add_headline, name_run, tag_with_run
from flows.state_watchdog import keep_cancelled, watch_state
from flows.subflows import resume_parents

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def begin_stage(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """An ``on_running`` hook: what every stage does before its own work."""
    watch_state(flow, flow_run, state)
    tag_with_run(flow_run)


def stage_flow(
    name: str, run_name: str
) -> Callable[[Callable[Parameters, Result]], Flow[Parameters, Result]]:
    """Turn a function into the flow of a stage.

    Args:
        name: Name of the flow and of its deployment.
        run_name: Template for the names of runs that nobody has named, filled with the flow's parameters.
    """
    return flow(
        name=name,
        flow_run_name=name_run(run_name),
        persist_result=True,
        result_serializer="json",
        on_running=[begin_stage],
        on_crashed=[keep_cancelled],
        on_completion=[add_headline, resume_parents],
    )
