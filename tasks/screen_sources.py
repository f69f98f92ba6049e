"""Screen sources: their tokens without the rows that leak, or whose label is rejected."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.config.schema import RunConfig
from metamapping.corpus import stages as library
from metamapping.corpus.source_groups import SourceGroup
from metamapping.runs.label_noise import CheckedLabels, rows_to_reject
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="screen {group.name}", cache_policy=NO_CACHE, persist_result=False)
def screen_sources(
    config: RunConfig,
    group: SourceGroup,
    tokens: list[Reference],
    leaks: Reference,
    checked: list[CheckedLabels],
) -> list[Reference]:
    """Remove the rows that leak, or whose label is rejected, from the tokens of each source.

    Args:
        config: The configuration of the run.
        group: The sources that this task run processes.
        tokens: The tokens of each source, in the order of the group.
        leaks: The leaks of the corpus.
        checked: The suspicious labels of the sources.

    Returns:
        For each source a stage without these rows, or the same reference if it has none.
    """
    names = {source.name for source in group.sources}
    suspicious = rows_to_reject(config, [each for each in checked if each.source in names])
    return library.screen_sources(Store(config.home), group.sources, tokens, leaks, suspicious)
