"""The artifact that shows a run on the page of its main flow run.

show_run(home, run_id)
"""

from __future__ import annotations

from typing import Any

from prefect.artifacts import create_markdown_artifact

from metamapping.runs.folder import RunFolder
from metamapping.runs.gate import Decision
from metamapping.runs.outcome import summary_markdown
from tasks.artifacts import artifact_key, artifact_link

_LINKED = {"model-card": "model card", "promotion": "comparison with production"}


def show_run(home: str, run_id: str, decision: dict[str, Any] | None = None) -> None:
    """Show a run so far as an artifact of the current flow run; the newest version counts.

    It is no task, because on the graph of the run it would stand between its stages.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of an opened run.
        decision: What the rules of promotion say about it, as JSON; ``None`` before they are asked.
    """
    run = RunFolder(home, run_id)
    kinds = ["model-card"] if run.has_published else []
    kinds += ["promotion"] if decision is not None else []
    links = [artifact_link(_LINKED[kind], kind, run_id) for kind in kinds]
    create_markdown_artifact(
        key=artifact_key("run", run_id),
        markdown=summary_markdown(
            run, None if decision is None else Decision.model_validate(decision), links=links
        ),
        description=f"{run_id}: its rounds, its scores and where everything is",
    )
