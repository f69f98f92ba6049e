"""Suspending and pausing a run on its page: it holds between two steps, and resumes where it was.

Prefect leaves a run that was suspended at its next task. Here a run may stay within one task for hours, in
which it trains or waits for a stage; so it is asked for between the steps of such a task. A suspended run
ends its process, and its worker starts a new one when it is resumed; a paused run waits in its process.

    note_state(flow_run_id, state)     # whenever the state of the run has been read
    hold_if_paused()                   # between two steps
"""

from __future__ import annotations

import logging
import time
from uuid import UUID

from prefect import State, get_client
from prefect.exceptions import Abort, Pause
from prefect.logging import get_run_logger
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings
from prefect.states import Suspended

POLL_SECONDS = 2.0
HOLDS = "It holds here. Press Resume, and it continues where it was."
ASKS = "It waits for approval. Press Resume, and fill in the form."

_log = logging.getLogger(__name__)
_paused_run: UUID | None = None


def note_state(flow_run_id: UUID, state: State | None) -> None:
    """Remember whether the run of this process is suspended or paused.

    Args:
        flow_run_id: ID of the flow run that this process executes.
        state: Its state on the server.
    """
    global _paused_run
    _paused_run = flow_run_id if state is not None and state.is_paused() else None


def hold_if_paused() -> None:
    """Hold, if the run of this process was suspended or paused; call it between two steps.

    Raises:
        Pause: The run was suspended: the process should end.
        Abort: The run was suspended and resumed meanwhile, in another process; or it has ended.
    """
    if _paused_run is not None:
        hold(_paused_run)


def hold(flow_run_id: UUID) -> None:
    """Return if a flow run is running, wait while it is paused, and leave it if it is suspended.

    Args:
        flow_run_id: ID of the flow run that this process executes.

    Raises:
        Pause: The run was suspended: the process should end.
        Abort: The run was suspended and resumed meanwhile, in another process; or it has ended.
    """
    is_waiting = False
    with get_client(sync_client=True) as client:
        while (state := client.read_flow_run(flow_run_id).state) is not None:
            if is_suspended(state):
                raise Pause(state=state)
            if state.is_scheduled() or (is_waiting and state.is_final()):
                raise Abort(f"This run is {state.name}: this process leaves it.")
            if not state.is_paused():
                break
            if not is_waiting:
                get_run_logger().info("paused: waiting until the run is resumed")
                is_waiting = True
            time.sleep(POLL_SECONDS)
    note_state(flow_run_id, state)


def is_suspended(state: State) -> bool:
    """Whether a run in this state is started in a new process when it is resumed."""
    return state.is_paused() and bool(state.state_details.pause_reschedule or state.name == "Suspended")


def confirm_suspension(flow_run_id: UUID) -> None:
    """Set a suspended run to Suspended once more; to be called when its process ends.

    Until then the run has sent heartbeats, and the server would expect more of them
    (deployments/automations.yaml) if this state were not the last that it hears.

    Args:
        flow_run_id: ID of the flow run.
    """
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}), get_client(sync_client=True) as client:
            state = client.read_flow_run(flow_run_id).state
            if state is not None and is_suspended(state):
                details = state.state_details
                again: State = Suspended(
                    message=HOLDS,
                    pause_expiration_time=details.pause_timeout,
                    pause_key=details.pause_key,
                )
                # Where the form of the run is stored, if it waits for an answer.
                again.state_details.run_input_keyset = details.run_input_keyset
                if details.run_input_keyset:
                    again.message = ASKS
                client.set_flow_run_state(flow_run_id, again, force=True)
    except Exception:  # the server is down: it will expect heartbeats when it is back, and mark the run
        _log.debug("the suspension of this run could not be confirmed", exc_info=True)
