"""How a stage of a run is started: as a subflow, or as a run of its own deployment.

A parent that was itself started from a deployment starts its stages that way too, each in a process
of its own. Such a parent can be stopped anywhere and run again: a stage's idempotency key leads it
to the run it started before, whose result it takes if it is completed, and which it sets going
again if it failed. Any other parent (``make demo``) calls the stage as a subflow.

    verdict = run_stage(adjust_round, "adjust round 2", run_id=run_id, round=2, home=config.home)
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import Flow, State, get_client, runtime
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.logging import get_run_logger
from prefect.states import AwaitingRetry
from prefect.types._datetime import now
from pydantic import BaseModel

POLL_SECONDS = 0.5
# A worker may report a crash a second time, seconds after the run was set going again.
CRASH_SETTLES_AFTER = timedelta(seconds=20)


def run_stage(stage: Flow[..., Any], key: str, **parameters: Any) -> Any:
    """The result of ``stage(**parameters)``; ``key`` tells the stages of one parent apart.

    Raises ``RuntimeError`` where the stage's run failed, crashed or was cancelled.
    """
    if runtime.deployment.id is None:
        return stage(**parameters)
    plain = {name: _plain(value) for name, value in parameters.items()}
    with get_client(sync_client=True) as client:
        stage_run = _start(client, stage, key, plain)
        return _wait(client, stage_run.id, key).result()


def resume_parents(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """A stage's ``on_completion`` hook: parents that failed or crashed for want of it go on."""
    if flow_run.deployment_id is None:
        return
    with get_client(sync_client=True) as client:
        for parent in parents_of(client, flow_run):
            if is_resumable(parent.state):
                client.set_flow_run_state(parent.id, AwaitingRetry(), force=True)


def parents_of(client: SyncPrefectClient, stage_run: FlowRun) -> list[FlowRun]:
    """The parent of a stage's run; for a stage that a person started, those of the same ``run_id``."""
    siblings = [stage_run]
    if stage_run.parent_task_run_id is None and "run_id" in stage_run.parameters:
        same_run = {"tags": {"all_": [f"run:{stage_run.parameters['run_id']}"]}}
        siblings = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(same_run))
    links = {run.parent_task_run_id for run in siblings} - {None}
    parent_ids = {client.read_task_run(link).flow_run_id for link in links}
    return [client.read_flow_run(parent_id) for parent_id in parent_ids]


def is_resumable(state: State | None) -> bool:
    """Whether a parent in this state waits for a stage; one that a person cancelled does not."""
    return state is not None and (state.is_failed() or state.is_crashed())


def stage_outcome(state: State, age: timedelta) -> str:
    """What a parent makes of a stage's state: ``completed``, ``stopped`` or ``going on``."""
    if state.is_completed():
        return "completed"
    if state.is_crashed() and age < CRASH_SETTLES_AFTER:
        return "going on"
    return "stopped" if state.is_final() else "going on"


def _start(client: SyncPrefectClient, stage: Flow[..., Any], key: str, parameters: dict[str, Any]) -> FlowRun:
    """The stage's run: a new one, or the one this parent started before, set going again."""
    stage_run = run_deployment(
        f"{stage.name}/{stage.name}",
        parameters=parameters,
        flow_run_name=key,
        tags=[f"run:{parameters['run_id']}"] if "run_id" in parameters else [],
        idempotency_key=f"{runtime.flow_run.id}:{key}",
        timeout=0,
    )
    state = client.read_flow_run(stage_run.id).state
    if state is not None and state.is_final() and not state.is_completed():
        get_run_logger().info("%s was %s: it is started again", key, state.name)
        client.set_flow_run_state(stage_run.id, AwaitingRetry(), force=True)
    return stage_run


def _wait(client: SyncPrefectClient, stage_run_id: UUID, key: str) -> State:
    while True:
        state = client.read_flow_run(stage_run_id).state
        outcome = stage_outcome(state, now("UTC") - state.timestamp)
        if outcome == "completed":
            return state
        if outcome == "stopped":
            raise RuntimeError(
                f"{key}: {state.name}. {state.message or ''}\nMend the cause and press Retry on that "
                "run, or on this one: what was done before is not done again."
            )
        time.sleep(POLL_SECONDS)


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
