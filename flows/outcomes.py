"""The final state of a run that has published: its name says whether the run has improved on its start.

return published_state(home, run_id, folder)
"""

from __future__ import annotations

from typing import cast

from prefect.states import Completed

from metamapping.runs.folder import RunFolder
from metamapping.runs.outcome import outcome_of

NO_IMPROVEMENT = "NoImprovement"  # events are named after it (deployments/automations.yaml)


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
