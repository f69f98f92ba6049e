"""The end of a night as a deployment of its own: what happens to a run that has published.

The stages of training are left out: the runs that it is given have published already.
"""

from __future__ import annotations

from prefect import flow, serve

from flows.approval import promotion_state
from flows.check_candidate import check_candidate
from flows.expire_approval import expire_approval
from flows.state_watchdog import watch_state
from metamapping.runs.folder import RunFolder

NAME = "end-of-night"


@flow(name=NAME, persist_result=True, result_serializer="json", on_running=[watch_state])
def end_of_night(home: str, run_id: str) -> str:
    return promotion_state(RunFolder(home, run_id).config, run_id, "the published folder")


if __name__ == "__main__":
    serve(
        end_of_night.to_deployment(NAME),
        check_candidate.to_deployment("check-candidate"),
        expire_approval.to_deployment("expire-approval"),
        pause_on_shutdown=False,
        print_starting_message=False,
    )
