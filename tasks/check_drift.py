"""The task that tests whether the texts of a served task have changed."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.adaptation.drift import Drift
from metamapping.adaptation.saved.prediction_log import drift_of_log
from metamapping.errors import ConfigError
from tasks.artifacts import artifact_key
from tasks.progress import say

PROPOSAL = """\
**What to do:** label new texts (`metamapping suggest TASK FILE` chooses those that are worth it), add them
to the task (`POST /tasks/NAME/examples`) and, where many tasks have moved, to the sources of the encoder.
Then run `meta-pretraining` again; without new rows it has nothing new to learn."""


@task(task_run_name="drift of {name}", cache_policy=NO_CACHE)
def check_drift(
    folder: str, log: str, name: str, *, before: str | None, false_alarm_rate: float
) -> tuple[bool, str]:
    """Test a log of predictions for drift, and show the result as an artifact.

    Args:
        folder: Folder of the task.
        log: The log.
        name: Name of the task in the log.
        before: An earlier log to compare with; default: the examples of the task.
        false_alarm_rate: The probability of an alarm if nothing has changed.

    Returns:
        Whether there is drift, and a sentence about it.

    Raises:
        ConfigError: The task or the log cannot be read.
    """
    try:
        drift = drift_of_log(
            Path(folder),
            Path(log),
            before=None if before is None else Path(before),
            task=name,
            false_alarm_rate=false_alarm_rate,
        )
    except (ValueError, OSError) as error:
        raise ConfigError(str(error)) from error
    say(drift.sentence)
    create_markdown_artifact(
        key=artifact_key("drift", name),
        markdown=_markdown(name, drift),
        description=f"{name}: {drift.sentence}",
    )
    return drift.has_drifted, drift.sentence


def _markdown(name: str, drift: Drift) -> str:
    rows = [
        f"| {each.name} | {each.reference_mean:.3f} | {each.mean:.3f} | {each.statistic:.3f} | "
        f"{each.p_value:.2g} |"
        for each in drift.measures
    ]
    table = ["| measure | before | now | distance | p-value |", "| --- | --- | --- | --- | --- |", *rows]
    parts = [f"# {name}", f"{drift.sentence[0].upper()}{drift.sentence[1:]}.", "\n".join(table)]
    return "\n\n".join([*parts, PROPOSAL] if drift.has_drifted else parts) + "\n"
