"""Screen sources: their tokens without the rows that leak."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.corpus import stages as library
from metamapping.corpus.source_groups import SourceGroup
from metamapping.storage.artifacts import Reference, Store


@task(task_run_name="screen {group.name}", cache_policy=NO_CACHE, persist_result=False)
def screen_sources(
    home: str, group: SourceGroup, tokens: list[Reference], leaks: Reference
) -> list[Reference]:
    """Remove the rows that leak from the tokens of each source.

    Args:
        home: Folder or address of the store.
        group: The sources that this task run processes.
        tokens: The tokens of each source, in the order of the group.
        leaks: The leaks of the corpus.

    Returns:
        For each source a stage without its leaks, or the same reference if it has none.
    """
    return library.screen_sources(Store(home), group.sources, tokens, leaks)
