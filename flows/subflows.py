"""How a stage of a run is started: as a subflow in this process, or as a run of its own deployment.

A parent that was itself started from a deployment starts its stages as deployments too, each in its own
process. Such a parent can be stopped at any point and retried: by the idempotency key, each stage leads to
the flow run that was created for it before. If that one completed, its result is used; if it failed, it is
rescheduled. Any other parent (``make demo``) calls the stage as a subflow.

On the graph of the parent, an arrow leads to a stage from what it comes ``after``.

    report = run_stage(evaluate_round, "evaluate round 2", after=trained, run_id=run_id, round=2, home=home)
    verdict = run_stage(adjust_round, "adjust round 2", after=report, run_id=run_id, round=2, home=home)
"""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from prefect import Flow, State, Task, get_client, runtime
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.logging import get_run_logger
from prefect.states import AwaitingRetry
from prefect.utilities.engine import (
    collect_task_run_inputs_sync,
    get_state_for_result,
    link_state_to_flow_run_result,
    link_state_to_result,
)
from pydantic import BaseModel

from flows.errors import StageError
from metamapping.errors import ConfigError
from tasks.suspension import hold

POLL_SECONDS = 0.5
# How often a parent that waits for a stage looks whether it was suspended or paused itself.
HOLD_EVERY_SECONDS = 2.0
# How often a stage that crashed (out of memory, a machine that is gone) is started again by itself.
CRASH_RETRIES = "METAMAPPING_CRASH_RETRIES"
# A worker may report the same crash a second time, seconds after the run was rescheduled.
CRASH_SETTLES_AFTER = timedelta(seconds=20)


def run_stage(stage: Flow[..., Any], key: str, *, after: Any = None, **parameters: Any) -> Any:
    """Run a stage, or find the run that did it before, and return its result.

    Args:
        stage: The flow of the stage.
        key: Name of the stage, unique within the parent, such as ``train round 2``.
        after: Result of the stage or task that comes before it, for the graph of the parent.
        **parameters: Parameters of the flow; pydantic models are passed to a deployment as JSON.

    Raises:
        StageError: The stage's flow run failed, crashed or was cancelled.
        Pause: The run that calls this was suspended. Its stage continues; when the run is resumed, its next
            process finds the stage again.
    """
    if runtime.deployment.id is None:
        return stage(**parameters, wait_for=[_arrow_from(after)])
    json_parameters = {name: _as_json(value) for name, value in parameters.items()}
    hold(UUID(runtime.flow_run.id))
    with get_client(sync_client=True) as client:
        flow_run_id = _start(client, stage, key, json_parameters, after)
        state = _wait(client, flow_run_id, key)
        result = state.result()
    link_state_to_flow_run_result(state, result)  # as Prefect does it for a subflow in this process
    return result


def unlinked(text: str) -> str:
    """Return a copy of a text that a task has returned.

    Prefect draws an arrow from that task to every task and stage that gets the very object as a parameter.
    All stages get the id of the run, and the arrows would hide in which order they run.

    Args:
        text: At least two characters.
    """
    return "".join(list(text))


def resume_parents(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """A stage's ``on_completion`` hook: reschedule the parents that failed because of this stage."""
    if flow_run.deployment_id is None:
        return
    with get_client(sync_client=True) as client:
        for parent in parents_of(client, flow_run):
            if is_resumable(parent.state):
                client.set_flow_run_state(parent.id, AwaitingRetry(), force=True)


def parents_of(client: SyncPrefectClient, stage_run: FlowRun) -> list[FlowRun]:
    """Find the flow runs that started a stage.

    Args:
        client: A client of the server.
        stage_run: The flow run of the stage.

    Returns:
        The parent of the stage. A stage that a person started has none: then the parents of all stages with
        the same ``run_id``.
    """
    siblings = [stage_run]
    if stage_run.parent_task_run_id is None and "run_id" in stage_run.parameters:
        same_run = {"tags": {"all_": [f"run:{stage_run.parameters['run_id']}"]}}
        siblings = client.read_flow_runs(flow_run_filter=FlowRunFilter.model_validate(same_run))
    # A subflow run is linked to its parent through a task run of the parent.
    links = {run.parent_task_run_id for run in siblings if run.parent_task_run_id is not None}
    parent_ids = {client.read_task_run(link).flow_run_id for link in links}
    return [client.read_flow_run(parent_id) for parent_id in parent_ids if parent_id is not None]


def is_resumable(state: State | None) -> bool:
    """Whether a parent in this state waits for a stage; a parent that a person cancelled does not."""
    return state is not None and (state.is_failed() or state.is_crashed())


def stage_outcome(state: State, age: timedelta) -> Literal["running", "completed", "stopped"]:
    """What the state of a stage's flow run means for its parent.

    Args:
        state: The current state of the flow run.
        age: Time since the flow run entered that state.
    """
    if state.is_completed():
        return "completed"
    if state.is_crashed() and age < CRASH_SETTLES_AFTER:
        return "running"
    return "stopped" if state.is_final() else "running"


def _start(
    client: SyncPrefectClient, stage: Flow[..., Any], key: str, parameters: dict[str, Any], after: Any
) -> UUID:
    """The id of the stage's flow run: a new one, or the one from before, rescheduled if it had failed.

    Prefect's own ``run_deployment`` takes the arrows of the graph from the parameters alone.
    """
    parent_id = runtime.flow_run.id
    deployment = client.read_deployment_by_name(f"{stage.name}/{stage.name}")
    # The stage on the graph of the parent; a parent that was retried finds the same one by its keys.
    node: Task[[], None] = Task(fn=_stand_in, name=key)
    node.task_key = f"{__name__}.{stage.name}"
    link = client.create_task_run(
        task=node,
        flow_run_id=UUID(parent_id),
        dynamic_key=key,
        name=key,
        task_inputs={"wait_for": list(collect_task_run_inputs_sync(_arrow_from(after)))},
    )
    stage_run = client.create_flow_run_from_deployment(
        deployment.id,
        parameters=parameters,
        name=key,
        tags=[f"run:{parameters['run_id']}"] if "run_id" in parameters else [],
        idempotency_key=f"{parent_id}:{key}",
        parent_task_run_id=link.id,
    )
    state = client.read_flow_run(stage_run.id).state
    if state is not None and state.is_final() and not state.is_completed():
        get_run_logger().info("%s was %s: it is rescheduled", key, state.name)
        client.set_flow_run_state(stage_run.id, AwaitingRetry(), force=True)
    return stage_run.id


def _wait(client: SyncPrefectClient, flow_run_id: UUID, key: str) -> State:
    parent_id, held_at = UUID(runtime.flow_run.id), time.monotonic()
    while True:
        if time.monotonic() - held_at > HOLD_EVERY_SECONDS:
            hold(parent_id)
            held_at = time.monotonic()
        stage_run = client.read_flow_run(flow_run_id)
        state = stage_run.state
        assert state is not None, "every flow run of a deployment is created with a state"
        outcome = stage_outcome(state, datetime.now(UTC) - state.timestamp)
        if outcome == "completed":
            return state
        if outcome == "stopped":
            if not is_retried(state, stage_run.run_count):
                raise StageError(
                    f"{key}: {state.name}. {_cause(state)}\nFix the cause and press Retry on that run, or on "
                    "this one: completed work is not repeated."
                )
            get_run_logger().warning("%s was %s: it is started again", key, state.name)
            client.set_flow_run_state(flow_run_id, AwaitingRetry(), force=True)
        time.sleep(POLL_SECONDS)


def is_retried(state: State, run_count: int) -> bool:
    """Whether a stage that has stopped is started again by itself: only after a crash, and not for ever.

    Args:
        state: The final state of the stage's flow run.
        run_count: How often the flow run was started.

    Raises:
        ConfigError: The variable METAMAPPING_CRASH_RETRIES is not a number.
    """
    retries = os.environ.get(CRASH_RETRIES) or "0"
    if not retries.isdecimal():
        raise ConfigError(f"{CRASH_RETRIES} is {retries!r}: expected a number of retries, such as 2")
    return state.is_crashed() and run_count <= int(retries)


def _cause(state: State) -> str:
    """The message of a failed state, without what Prefect puts before an error's own message."""
    return re.sub(r"^Flow run encountered an exception: (\w+: )?", "", state.message or "")


class _Arrow:
    """Stands for the result of a stage or task where only the arrow from there is wanted.

    Prefect looks for such results also within results, by the addresses of all values, and numbers and words
    that two results share would draw arrows of their own.
    """


def _arrow_from(result: Any) -> _Arrow:
    """An arrow from the stage or task that has returned a result; from nowhere, if none has."""
    arrow = _Arrow()
    if (found := get_state_for_result(result)) is not None:
        link_state_to_result(found[0], arrow, found[1])
    return arrow


def _stand_in() -> None:
    """What the task run that stands for a stage would execute; it is never executed."""


def _as_json(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
