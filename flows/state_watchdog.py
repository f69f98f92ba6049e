"""A run of a deployment looks after its own state, for the time that server or worker cannot.

Where a server hears no heartbeat for 90 seconds, an automation marks the run as crashed
(deployments/automations.yaml): the worker's machine may be gone. A server that was itself gone for
so long marks every run that went on meanwhile, and a worker that the server did not answer no longer
hears that a run is to be cancelled. So each run looks at its state now and then: it takes back that
it was taken for dead, and ends where it was cancelled and nobody has ended it. A mark may also fall on
a run that is being cancelled; that one ends.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from contextvars import copy_context
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import Flow, State, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.logging.loggers import PrefectLogAdapter, flow_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelled, Running
from prefect.types._datetime import now

TAKEN_FOR_DEAD = "No sign of life"  # how the automation's message begins
LOOK_EVERY_SECONDS = 5.0  # less than `stage_runs.CRASH_SETTLES_AFTER`, which a parent waits
WORKER_CANCELS_WITHIN = timedelta(seconds=20)
END_SECONDS = 30.0  # what a process has to end after SIGTERM, as a worker gives it
CANCELLED = "Its worker did not hear of it; the run ended itself."

_ends_itself = threading.Event()


def look_after(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """An ``on_running`` hook: a thread looks at the run's state as long as its process lives."""
    if flow_run.deployment_id is None:
        return
    logger = flow_run_logger(flow_run, flow)
    look = copy_context()  # the settings that say where the server is
    threading.Thread(target=look.run, args=(_keep_looking, flow_run.id, logger), daemon=True).start()


def stay_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """An ``on_crashed`` hook: Prefect calls every end by SIGTERM a crash, but this one was asked for."""
    if _ends_itself.is_set():
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(flow_run.id, Cancelled(message=CANCELLED), force=True)


def is_taken_for_dead(state: State | None) -> bool:
    """Whether the server has marked a run as crashed because it heard nothing of it."""
    return state is not None and state.is_crashed() and (state.message or "").startswith(TAKEN_FOR_DEAD)


def is_left_to_end(state: State | None, age: timedelta) -> bool:
    """Whether a run was cancelled, and its worker has had the time to end it."""
    return state is not None and state.is_cancelling() and age > WORKER_CANCELS_WITHIN


def state_before_marks(states: Sequence[State]) -> State | None:
    """What a run was in before it was taken for dead, of all its states in the order of time."""
    return next((state for state in reversed(states) if not is_taken_for_dead(state)), None)


def _keep_looking(flow_run_id: UUID, logger: PrefectLogAdapter) -> None:
    at_once = {PREFECT_CLIENT_MAX_RETRIES: 0}  # else the waits between tries outgrow the 20 seconds
    with temporary_settings(at_once), get_client(sync_client=True) as client:
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            try:
                _look(client, flow_run_id, logger)
            except ObjectNotFound:  # somebody has removed it
                return
            except Exception:  # the server is gone, or has not all its parts yet: look again
                logger.debug("the state of this run cannot be read now", exc_info=True)


def _look(client: SyncPrefectClient, flow_run_id: UUID, logger: PrefectLogAdapter) -> None:
    state = client.read_flow_run(flow_run_id).state
    if is_taken_for_dead(state):
        before = state_before_marks(client.read_flow_run_states(flow_run_id))
        if before is not None and before.is_cancelling():
            _end(client, flow_run_id, logger)
        else:
            alive = Running(message="Taken for dead while the server heard nothing of it; it went on.")
            client.set_flow_run_state(flow_run_id, alive, force=True)
            logger.warning("the server took this run for dead: it was told that the run goes on")
    elif state is not None and is_left_to_end(state, now("UTC") - state.timestamp):
        _end(client, flow_run_id, logger)


def _end(client: SyncPrefectClient, flow_run_id: UUID, logger: PrefectLogAdapter) -> None:
    """End this process as its worker would have ended it."""
    client.set_flow_run_state(flow_run_id, Cancelled(message=CANCELLED), force=True)
    _ends_itself.set()
    logger.warning("this run was cancelled, and its worker did not hear of it: it ends itself")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
