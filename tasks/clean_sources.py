"""Clean sources: records into examples and rejects."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from metamapping.corpus import stages as library
from metamapping.corpus.examples import Rules
from metamapping.corpus.source_groups import SourceGroup
from metamapping.storage.artifacts import Reference, Store
from tasks.row_progress import show_rows


@task(task_run_name="clean {group.name}", cache_policy=NO_CACHE, persist_result=False)
def clean_sources(home: str, group: SourceGroup, rules: Rules, records: list[Reference]) -> list[Reference]:
    """Make the examples of each source: its records, cleaned, filtered and deduplicated.

    Args:
        home: Folder or address of the store.
        group: The sources that this task run processes.
        rules: How records become examples.
        records: The records of each source, in the order of the group.

    Returns:
        The examples of each source, in the order of the group.
    """
    return library.clean_sources(Store(home), group.sources, rules, records, show=show_rows)
