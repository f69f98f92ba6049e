"""A watchdog in every flow run of a deployment: it repairs the state that server or worker got wrong.

When the server receives no heartbeat for 90 seconds, an automation marks the run as crashed
(deployments/automations.yaml), because its worker or machine may have died. After an outage of the server
itself, that mark is wrong: the run continued. A worker, too, can miss a request to cancel during an
outage. The watchdog is a thread that polls the state of its own run and

- sets the run back to Running (or to Suspended or Paused) if it was marked for missed heartbeats,
- tells the run that it was suspended or paused (``tasks.suspension``),
- ends the process if the run was cancelled and the worker has not ended it within 20 seconds,
- also ends it if the mark hides a cancellation.

The mark is recognised by the name of its state, ``MISSED_HEARTBEATS``, which the automation sets.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import Flow, State, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.logging.loggers import PrefectLogAdapter, flow_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Cancelled, Paused, Running

from tasks.suspension import confirm_suspension, note_state

MISSED_HEARTBEATS = "MissedHeartbeats"  # `name` of the action in deployments/automations.yaml
# An automation created by an earlier version sets no name; its message begins like this.
MISSED_HEARTBEATS_MESSAGE = "No sign of life"
POLL_SECONDS = 5.0  # shorter than `subflows.CRASH_SETTLES_AFTER`, for which a parent waits
WORKER_CANCELS_WITHIN = timedelta(seconds=20)
EXIT_SECONDS = 30.0  # between SIGTERM and SIGKILL, as a worker grants it
CANCELLED = "Its worker missed the cancellation, so the run ended itself."

_is_ending_itself = threading.Event()


def watch_state(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """An ``on_running`` hook: start the watchdog thread, which lives as long as the process."""
    if flow_run.deployment_id is None:
        return
    atexit.register(copy_context().run, confirm_suspension, flow_run.id)
    logger = flow_run_logger(flow_run, flow)
    context = copy_context()  # holds the settings with the server's address
    threading.Thread(target=context.run, args=(_poll, flow_run.id, logger), daemon=True).start()


def keep_cancelled(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """An ``on_crashed`` hook: the run stays Cancelled if the watchdog ended it.

    Prefect reports every process that ends by SIGTERM as crashed.
    """
    if _is_ending_itself.is_set():
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(flow_run.id, Cancelled(message=CANCELLED), force=True)


def has_missed_heartbeats(state: State | None) -> bool:
    """Whether the server marked a run as crashed because it received no heartbeats."""
    if state is None or not state.is_crashed():
        return False
    return state.name == MISSED_HEARTBEATS or (state.message or "").startswith(MISSED_HEARTBEATS_MESSAGE)


def is_cancellation_overdue(state: State | None, age: timedelta) -> bool:
    """Whether a run was cancelled and its worker has had enough time to end it.

    Args:
        state: The current state of the run.
        age: Time since the run entered that state.
    """
    return state is not None and state.is_cancelling() and age > WORKER_CANCELS_WITHIN


def state_before_missed_heartbeats(states: Sequence[State]) -> State | None:
    """The newest state that is not a mark for missed heartbeats.

    Args:
        states: All states of a run, oldest first.
    """
    return next((state for state in reversed(states) if not has_missed_heartbeats(state)), None)


def state_of_living_run(before: State | None) -> State:
    """The state that a run is set back to when it was marked, and continued.

    Args:
        before: The state before the marks for missed heartbeats.

    Returns:
        Suspended or paused if the run was that, else running.
    """
    if before is not None and before.is_paused():
        details = before.state_details
        state: State = Paused(
            name=before.name,
            message=before.message,
            pause_expiration_time=details.pause_timeout,
            reschedule=details.pause_reschedule,
            pause_key=details.pause_key,
        )
        state.state_details.run_input_keyset = details.run_input_keyset
        return state
    return Running(message="The server missed its heartbeats, but the run continued.")


def _poll(flow_run_id: UUID, logger: PrefectLogAdapter) -> None:
    # With the client's own retries, one request could wait longer than WORKER_CANCELS_WITHIN.
    no_retries = {PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(no_retries), get_client(sync_client=True) as client:
        while True:
            time.sleep(POLL_SECONDS)
            try:
                _check(client, flow_run_id, logger)
            except ObjectNotFound:  # the flow run was deleted
                return
            except Exception:  # the server is down, or has not fully started yet: try again
                logger.debug("the state of this run cannot be read at the moment", exc_info=True)


def _check(client: SyncPrefectClient, flow_run_id: UUID, logger: PrefectLogAdapter) -> None:
    state = client.read_flow_run(flow_run_id).state
    note_state(flow_run_id, state)
    if has_missed_heartbeats(state):
        before = state_before_missed_heartbeats(client.read_flow_run_states(flow_run_id))
        if before is not None and before.is_cancelling():
            _end_process(client, flow_run_id, logger)
        else:
            client.set_flow_run_state(flow_run_id, state_of_living_run(before), force=True)
            logger.warning("marked as crashed for missed heartbeats; set back, as it continues")
    elif state is not None and is_cancellation_overdue(state, datetime.now(UTC) - state.timestamp):
        _end_process(client, flow_run_id, logger)


def _end_process(client: SyncPrefectClient, flow_run_id: UUID, logger: PrefectLogAdapter) -> None:
    """End this process in the way its worker would have done it."""
    client.set_flow_run_state(flow_run_id, Cancelled(message=CANCELLED), force=True)
    _is_ending_itself.set()
    logger.warning("this run was cancelled and its worker missed that: the process ends itself")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(EXIT_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
