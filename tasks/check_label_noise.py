"""Find the labels that are probably wrong, before anything is trained."""

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from metamapping.config.schema import RunConfig
from metamapping.runs import label_noise as library
from metamapping.runs.label_noise import CheckedLabels
from metamapping.storage.artifacts import Reference
from tasks.artifacts import artifact_key
from tasks.progress import say, show_progress

MAX_SHOWN = 100  # rows of the table of a source in the UI


@task(task_run_name="check labels", cache_policy=NO_CACHE, persist_result=False)
def check_label_noise(config: RunConfig, examples: list[Reference]) -> list[CheckedLabels]:
    """Find the suspicious labels of each source, and show them as a table artifact of the source.

    Args:
        config: The configuration of the run.
        examples: The examples of each source, in the configuration's order.

    Returns:
        What was found in each source that can be checked.
    """
    if (problem := library.not_checked(config)) is not None and config.label_noise.action != "reject":
        say(problem)
        return []
    with show_progress("checking labels: sources", total=len(config.sources)) as work:
        checked = library.check_label_noise(config, examples, on_source=work.advance, on_problem=say)
        work.advance(len(config.sources))
    for each in checked:
        if not each.stage.counts["suspicious"]:
            continue
        say(each.sentence)
        create_table_artifact(
            key=artifact_key("suspicious-labels", f"{config.name}-{each.source}"),
            table=each.table().slice(0, MAX_SHOWN).to_pylist(),
            description=each.sentence,
        )
    return checked
