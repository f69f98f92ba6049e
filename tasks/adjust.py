"""The task that judges a round and adjusts the training of the next one."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.rounds.tables import rounds_markdown
from metamapping.rounds.wording import state_words
from metamapping.runs.folder import RunFolder
from metamapping.runs.plan import describe_judged_round
from metamapping.runs.plots import learning_curve_png
from metamapping.runs.screen import current_screen
from metamapping.runs.stages import adjust_stage
from tasks.artifacts import artifact_key, create_picture
from tasks.headline import with_headline
from tasks.progress import say


@task(task_run_name="judge round {round_number}", cache_policy=NO_CACHE)
def judge_and_adjust(home: str, run_id: str, round_number: int) -> dict[str, Any]:
    """Append verdict and adjustments to the run's history, and show its rounds and learning curve.

    Args:
        home: Folder or address of the store and the runs.
        run_id: ID of the run.
        round_number: Number of an evaluated round.

    Returns:
        The verdict as JSON, with `is_final`.
    """
    run = RunFolder(home, run_id)
    judged = adjust_stage(run, round_number)
    say(describe_judged_round(judged, run.config, current_screen()))
    create_markdown_artifact(
        key=artifact_key("rounds", run_id),
        markdown=rounds_markdown(run.read_history()),
        description=f"The rounds of {run_id}: {judged.verdict.sentence}",
    )
    create_picture(
        learning_curve_png(run.read_history()),
        key=artifact_key("learning-curve", run_id),
        description=f"The learning curve of {run_id} after round {round_number}",
    )
    verdict = {**judged.verdict.model_dump(mode="json"), "is_final": judged.verdict.is_final}
    return with_headline(verdict, state_words(judged.verdict))
