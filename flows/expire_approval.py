"""The flow that gives up waiting for a person; it is scheduled when a run begins to wait."""

from __future__ import annotations

import time
from uuid import UUID

from prefect import flow, get_client
from prefect.states import Completed

from flows.outcomes import UNANSWERED
from flows.run_names import name_run
from metamapping.runs.folder import RunFolder
from metamapping.runs.promotion import is_undecided
from tasks.promotion import give_up

POLL_SECONDS = 5.0


@flow(
    name="expire-approval",
    flow_run_name=name_run("give up waiting for approval of {run_id}"),
    persist_result=True,
    result_serializer="json",
)
def expire_approval(run_id: str, waiting: str, home: str = ".metamapping") -> str:
    """End a run that still waits for approval: it completes as Unanswered, and nothing is promoted.

    Args:
        run_id: ID of the candidate.
        waiting: ID of the flow run that waits.
        home: Folder of the store and the runs, as in the run's configuration.
    """
    with get_client(sync_client=True) as client:
        while not (state := client.read_flow_run(UUID(waiting)).state) or not state.is_paused():
            if state is None or state.is_final() or not is_undecided(RunFolder(home, run_id)):
                return "decided before"
            time.sleep(POLL_SECONDS)  # it has just been answered, or is about to ask
        sentence = give_up(home, run_id, "no answer")
        client.set_flow_run_state(UUID(waiting), Completed(name=UNANSWERED, message=sentence), force=True)
    return sentence
