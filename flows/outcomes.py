"""The final state of a run that has published: its name says what came out of it.

if (state := unchanged_state(home, run_id)) is not None:
    return state
return published_state(home, run_id, folder)
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

from prefect import runtime
from prefect.states import Completed

from metamapping.publishing.layout import check_published
from metamapping.runs.folder import RunFolder
from metamapping.runs.outcome import outcome_of
from metamapping.runs.promotion import is_undecided
from metamapping.storage import remote

# Names of final states. All are of the type Completed, although their badges are green then: a cancelled or
# failed run would be offered a retry, raise an alarm, and raise an error in the flow that has called it.
# Events are named after them: deployments/automations.yaml lists them all.
NO_IMPROVEMENT = "NoImprovement"
NOTHING_NEW = "NothingNew"
PROPOSED = "Proposed"
PROMOTED = "Promoted"
NOT_PROMOTED = "NotPromoted"
REFUSED = "Refused"
UNANSWERED = "Unanswered"
AWAITING_APPROVAL = "AwaitingApproval"
ROLLED_BACK = "RolledBack"
STATE_NAMES = (
    NO_IMPROVEMENT,
    NOTHING_NEW,
    PROPOSED,
    PROMOTED,
    NOT_PROMOTED,
    REFUSED,
    UNANSWERED,
    AWAITING_APPROVAL,
    ROLLED_BACK,
)


def unchanged_state(home: str, run_id: str) -> str | None:
    """The state of a run without anything to do: no row and no setting has changed since it published.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of an opened run.

    Returns:
        The state, which a flow returns as its result; ``None`` if there is something to do, or if this flow
        run was started again and may have done it itself.

    Raises:
        StoreError: The published folder is damaged.
    """
    run = RunFolder(home, run_id)
    if (runtime.flow_run.run_count or 1) > 1 or not run.has_published or is_undecided(run):
        return None
    check_published(remote.open_folder(run.published))
    published = remote.place_of(run.published)
    when = datetime.fromtimestamp(run.published_at, UTC)
    message = (
        f"No row and no setting has changed since {run_id} has published on {when:%Y-%m-%d %H:%M} UTC, so "
        f"nothing was done. {outcome_of(run).sentence}"
    )
    return cast(str, Completed(name=NOTHING_NEW, message=message, data=published))


def published_state(home: str, run_id: str, published: str) -> str:
    """The state in which a run ends: Completed, or NoImprovement when the untrained encoder is the best.

    A flow returns it as its result: Prefect sets the state, and gives the data in it to the flow's caller.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of a run that has published.
        published: Folder or address of the published encoder, the result of the flow.
    """
    outcome = outcome_of(RunFolder(home, run_id))
    name = None if outcome.has_improved else NO_IMPROVEMENT
    return cast(str, Completed(name=name, message=outcome.sentence, data=published))
