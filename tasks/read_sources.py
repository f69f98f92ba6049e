"""Read sources into records."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.corpus import stages as library
from metamapping.corpus.source_groups import SourceGroup
from metamapping.storage.artifacts import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="read {group.name}", cache_policy=NO_CACHE, persist_result=False)
def read_sources(home: str, group: SourceGroup) -> list[Reference]:
    """Read the records of each source: its rows, unchanged and in one format.

    Args:
        home: Folder or address of the store.
        group: The sources that this task run processes.

    Returns:
        The records of each source, in the order of the group.
    """
    return library.read_sources(Store(home), group.sources, show=show_rows)
